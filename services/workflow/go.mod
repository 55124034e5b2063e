module crossdock.dev/services/workflow

go 1.26.0

require (
	crossdock.dev/gen v0.0.0
	crossdock.dev/platform v0.0.0
)

replace (
	crossdock.dev/gen => ../../gen
	crossdock.dev/kernel => ../../kernel
	crossdock.dev/platform => ../../platform
)
