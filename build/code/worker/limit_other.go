//go:build !linux

package worker

func limitAddresses(int64) {}
