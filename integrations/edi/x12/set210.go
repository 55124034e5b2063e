package x12

// set210 is the motor carrier freight details and invoice, X12 004010 210.
var set210 = SetDef{ID: "210", Body: []Node{
	req("B3", 1), opt("C2", 1), opt("C3", 1), opt("ITD", 1), opt("N9", 300), opt("G62", 6), opt("R3", 12), opt("H3", 6), opt("K1", 10),
	loop(opt("N1", 10), opt("N2", 1), opt("N3", 2), opt("N4", 1), opt("N9", 5)),
	loop210N7,
	loop210SPO,
	loop(opt("S5", 999), opt("N9", 10), opt("G62", 10), opt("H3", 6),
		loop210SPO,
		loop(opt("N1", 2), opt("N2", 1), opt("N3", 2), opt("N4", 1), opt("N9", 5), loop210N7)),
	loop(opt("LX", 9999), opt("N9", 5), opt("POD", 1), opt("L5", 30), opt("H1", 3), opt("H2", 2), opt("L0", 10), opt("L1", 10),
		opt("L4", 10), opt("L7", 10), opt("K1", 10),
		loop210SPO,
		loop(opt("N1", 999999), opt("N2", 1), opt("N3", 2), opt("N4", 1), opt("N9", 10),
			loop(opt("CD3", 999999), opt("N9", 20), opt("H6", 10), opt("L9", 10), opt("POD", 1), opt("G62", 1)),
			loop210SPO)),
	opt("L3", 1),
}}

var (
	loop210N7  = loop(opt("N7", 10), opt("M7", 2))
	loop210SPO = loop(opt("SPO", 999999), opt("SDQ", 10))
)
