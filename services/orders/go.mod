module crossdock.dev/services/orders

go 1.26.0

require crossdock.dev/kernel v0.0.0

require github.com/cockroachdb/apd/v3 v3.2.3 // indirect

replace (
	crossdock.dev/gen => ../../gen
	crossdock.dev/kernel => ../../kernel
	crossdock.dev/platform => ../../platform
)
