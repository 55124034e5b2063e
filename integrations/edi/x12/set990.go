package x12

// set990 is the response to a load tender, X12 004010 990.
var set990 = SetDef{ID: "990", Body: []Node{
	req("B1", 1), opt("N9", 1), opt("G62", 6), opt("N7", 1), opt("L9", 40), opt("V9", 10), opt("K1", 10),
	loop(opt("S5", 999), opt("N9", 10), opt("G62", 10), opt("K1", 10)),
}}
