// Package server is the platform in one process. Core is the record and what computes over it:
// store, advisories, risk engine; a command works on it directly. Server adds what makes it a
// service: the bus, the workers that apply reports, the API with the console, the sockets.
package server
