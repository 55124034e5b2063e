package x12

// set204 is the motor carrier load tender, X12 004010 204.
var set204 = SetDef{ID: "204", Body: []Node{
	req("B2", 1), req("B2A", 1), opt("L11", 50), opt("G62", 1), opt("MS3", 1), opt("AT5", 6), opt("PLD", 1), opt("LH6", 6), opt("NTE", 10),
	loop(opt("N1", 5), opt("N2", 1), opt("N3", 2), opt("N4", 1), opt("L11", 1), opt("G61", 3)),
	loop204N7,
	loop(req("S5", 999), opt("L11", 50), opt("G62", 2), opt("AT8", 1), opt("LAD", 999), opt("AT5", 6), opt("PLD", 1), opt("NTE", 20),
		loop(opt("N1", 1), opt("N2", 1), opt("N3", 2), opt("N4", 1), opt("G61", 3)),
		loop204L5,
		loop(opt("OID", 999), opt("G62", 2), opt("LAD", 999), loop204L5),
		loop204N7),
	opt("L3", 1),
}}

var loop204N7 = loop(opt("N7", 10), opt("N7A", 1), opt("N7B", 1), opt("MEA", 1), opt("M7", 2))

var loop204L5 = loop(opt("L5", 99), opt("AT8", 1),
	loop(opt("G61", 99), opt("L11", 5), opt("LH6", 6),
		loop(opt("LH1", 25), opt("LH2", 4), opt("LH3", 10), opt("LFH", 20), opt("LEP", 3), opt("LH4", 1), opt("LHT", 3))))
