module github.com/doris-ccr/ccr/e2e

go 1.26.8

require github.com/doris-ccr/ccr v0.0.0

replace github.com/doris-ccr/ccr => ../

require (
	github.com/doris-ccr/ccr/dorisim v0.0.0
	github.com/getkin/kin-openapi v0.140.0
)

require (
	filippo.io/edwards25519 v1.2.0 // indirect
	github.com/go-sql-driver/mysql v1.10.1 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	go.temporal.io/sdk v1.50.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
)

replace github.com/doris-ccr/ccr/dorisim => ../dorisim
