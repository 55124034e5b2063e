package x12

// set810 is the invoice, X12 004010 810.
var set810 = SetDef{ID: "810", Body: []Node{
	req("BIG", 1), opt("NTE", 100), opt("CUR", 1), opt("REF", 12), opt("YNQ", 10), opt("PER", 3),
	loop810N1,
	opt("ITD", 0), opt("DTM", 10), opt("FOB", 1), opt("PID", 200), opt("MEA", 40), opt("PWK", 25), opt("PKG", 25), opt("L7", 1),
	opt("BAL", 0), opt("INC", 1), opt("PAM", 0),
	loop810LM,
	loop(opt("N9", 1), opt("MSG", 10)),
	loop810V1, loop810FA1,
	loop(opt("IT1", 200000), opt("CRC", 1), opt("QTY", 5), opt("CUR", 1), opt("IT3", 5), opt("TXI", 10), opt("CTP", 25), opt("PAM", 10),
		opt("MEA", 40),
		loop(opt("PID", 1000), opt("MEA", 10)),
		opt("PWK", 25), opt("PKG", 25), opt("PO4", 1), opt("ITD", 2), opt("REF", 0), opt("YNQ", 10), opt("PER", 5), opt("SDQ", 500),
		opt("DTM", 10), opt("CAD", 0), opt("L7", 0), opt("SR", 1),
		loop(opt("SAC", 25), opt("TXI", 10)),
		loop(opt("SLN", 1000), opt("DTM", 1), opt("REF", 0), opt("PID", 1000), opt("SAC", 25), opt("TC2", 2), opt("TXI", 10)),
		loop810N1, loop810LM, loop810V1, loop810FA1),
	req("TDS", 1), opt("TXI", 10), opt("CAD", 1), opt("AMT", 0),
	loop(opt("SAC", 25), opt("TXI", 10)),
	loop(opt("ISS", 0), opt("PID", 1)),
	opt("CTT", 1),
}}

var (
	loop810N1  = loop(opt("N1", 200), opt("N2", 2), opt("N3", 2), opt("N4", 1), opt("REF", 12), opt("PER", 3), opt("DMG", 1))
	loop810LM  = loop(opt("LM", 10), opt("LQ", 100))
	loop810V1  = loop(opt("V1", 0), opt("R4", 0), opt("DTM", 0))
	loop810FA1 = loop(opt("FA1", 0), opt("FA2", 0))
)
