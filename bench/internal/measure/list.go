package measure

// All are the benchmarks, in the order in which they run.
func All() []Benchmark {
	return []Benchmark{
		limitBenchmark(limitAppend, "4 KiB appended and synced, one after the other, by this program"),
		limitBenchmark(limitWriterLoop, "one change of the rows that an order writes, by many callers through one writer, in this program"),
		limitBenchmark(limitEcho, "one CreateOrder call to a bare server"),
		limitBenchmark(limitEchoWriterLoop, "one CreateOrder call to a bare server with a writer loop"),
		{"create-order", "one order of two lines, taken in by gRPC, durable and told; time of orders; ratio to limit-echo-writer-loop", createOrder},
		{"order-to-cash", "one flow from the order to the paid carrier, through all programs; their time; ratio to a 25th of limit-echo-writer-loop. " +
			"order-to-cash-half-load: half that rate in an open loop; p50 and p99 of a step", orderToCash},
	}
}
