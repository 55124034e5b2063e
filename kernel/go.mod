module crossdock.dev/kernel

go 1.26.0

require github.com/cockroachdb/apd/v3 v3.2.3
