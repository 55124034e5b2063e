module crossdock.dev/integrations/edi

go 1.26

replace (
	crossdock.dev/gen => ../../gen
	crossdock.dev/kernel => ../../kernel
	crossdock.dev/platform => ../../platform
)
