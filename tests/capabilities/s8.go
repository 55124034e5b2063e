package capabilities

// s8 is visibility.
var s8 = []Capability{
	{ID: "S8.1", What: "five boards: progress, readiness to bill, exceptions, carriers, leakage", Missing: "the tower lists cases; there are no boards"},
	{ID: "S8.2", What: "five groups of signals, exported by OpenTelemetry", Missing: "there are metrics of calls and traces in logs; no panels and no export"},
	{ID: "S8.3", What: "delivered and not invoiced, with the cause and a link to the message", Missing: "no detector: DELIVERED_NOT_INVOICED is never raised, and no list joins the cause"},
}
