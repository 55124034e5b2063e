package measure

// All are the benchmarks, in the order in which they run.
func All() []Benchmark {
	return []Benchmark{
		limitBenchmark(limitAppend, "4 KiB appended and synced, one after the other, by this program"),
		limitBenchmark(limitWriterLoop, "one change of the rows that an order writes, by many callers through one writer, in this program"),
		limitBenchmark(limitEcho, "one CreateOrder call to a bare server"),
		limitBenchmark(limitEchoWriterLoop, "one CreateOrder call to a bare server with a writer loop"),
		{"create-order", "one order of two lines, taken in by gRPC, durable and told; time of orders; ratio to limit-echo-writer-loop", createOrder},
	}
}
