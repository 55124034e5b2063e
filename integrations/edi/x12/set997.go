package x12

// set997 is the functional acknowledgement, X12 004010 997.
var set997 = SetDef{ID: "997", Body: []Node{
	req("AK1", 1),
	loop(opt("AK2", 999999),
		loop(opt("AK3", 999999), opt("AK4", 99)),
		req("AK5", 1)),
	req("AK9", 1),
}}
