package measure

// All are the benchmarks, in the order in which they run.
func All() []Benchmark {
	return []Benchmark{
		limitBenchmark(limitAppend, "4 KiB appended and synced, one after the other, by this program"),
		limitBenchmark(limitWriterLoop, "a change of the rows that an order writes, by many callers through one writer, in this program"),
		limitBenchmark(limitEcho, "a CreateOrder call to a bare server"),
		limitBenchmark(limitEchoWriterLoop, "a CreateOrder call to a bare server with a writer loop"),
		{"create-order", "an order of two lines, taken in by gRPC, durable and told; time of orders; ratio to limit-echo-writer-loop", createOrder},
		{"rest-create-order", "the same order through edge, as JSON with an API key; time of edge and orders; ratio to limit-echo-writer-loop", restCreateOrder},
		{"order-to-cash", "a flow from the order to the paid carrier, through all programs; their time; ratio to a 25th of limit-echo-writer-loop; " +
			"then order-to-cash-half-load: half that rate by the clock, p50 and p99 of a call from when it was meant to start", orderToCash},
		{"milestone-intake", "a milestone reported to freight by gRPC; time of freight; ratio to limit-echo-writer-loop", milestoneIntake},
		{"milestone-intake-x12", "a milestone that comes as X12 214, 50 to a file, until freight tells of it; time of edi and freight; ratio to limit-echo-writer-loop", milestoneIntakeX12},
		{"feed-read", "a fact of the log of orders, streamed to one reader; time of orders; ratio to limit-stream, found with it; p50 and p99 of a message", feedRead},
		{"replay", "a fact of the whole log, read by the suite's own reader, decoded, its chain of hashes checked; time of orders; p50 and p99 of a page", replay},
		{"feed-apply", "a fact of the log of orders, applied by tower from an empty store; time of tower; ratio to limit-writer-loop", feedApply},
		{"cost-at-size", "an order in a store that holds many; time of orders; ratio of its processor time to that in a small store", costAtSize},
		{"open-1gb", "a start of orders on a store of 1 GB until it is ready; time of orders; ratio to open-fresh, the start on a fresh store", openSize(sized(0))},
		{"verify-1gb", "an entry of the log of that store, checked by `orders verify`; its time; ratio to a bare walk through the file", verifySize(sized(0))},
		{"open-10gb", "the same with 10 GB; with LARGE=1 alone", openSize(sized(1))},
		{"verify-10gb", "the same with 10 GB; with LARGE=1 alone", verifySize(sized(1))},
		{"idle-memory", "rate is MiB of RssAnon of all programs after a time of quiet; cpu_us of all for each second of it", idleMemory},
	}
}

// sized is the n-th size of a file, if there is one.
func sized(n int) func(r *runner) (Size, bool) {
	return func(r *runner) (Size, bool) {
		if n >= len(r.FileSizes) {
			return Size{}, false
		}
		return r.FileSizes[n], true
	}
}
