package x12

// set214 is the shipment status message, X12 004010 214.
var set214 = SetDef{ID: "214", Body: []Node{
	req("B10", 1), opt("L11", 300), opt("MAN", 9999), opt("K1", 10),
	loop(opt("N1", 10), opt("N2", 1), opt("N3", 2), opt("N4", 1), opt("G61", 1), opt("G62", 1), opt("L11", 10)),
	opt("MS3", 12),
	loop(opt("LX", 999999),
		loop214AT7,
		opt("L11", 10), opt("MAN", 9999), opt("Q7", 10), opt("K1", 10), opt("AT5", 10), opt("AT8", 10),
		loop(opt("CD3", 999999), opt("L11", 20), loop214AT7, opt("NM1", 1), opt("Q7", 10), opt("AT8", 1), opt("MAN", 9999),
			loop(opt("N1", 999999), opt("N2", 1), opt("N3", 3), opt("N4", 1), opt("L11", 10))),
		loop(opt("PRF", 999999),
			loop(opt("N1", 999999), opt("N2", 1), opt("N3", 2), opt("N4", 1), opt("L11", 10)),
			loop(opt("CD3", 999999), opt("L11", 20), loop214AT7, opt("MAN", 9999))),
		loop(opt("SPO", 999999), opt("SDQ", 10)),
		loop(opt("EFI", 999999), opt("BIN", 1))),
}}

var loop214AT7 = loop(opt("AT7", 10), opt("MS1", 1), opt("MS2", 1))
