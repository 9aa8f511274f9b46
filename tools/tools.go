//go:build tools

// Package tools pins the programs that check this repository, apart from what it builds with.
package tools

import (
	_ "github.com/golangci/golangci-lint/v2/cmd/golangci-lint"
	_ "mvdan.cc/gofumpt"
)
