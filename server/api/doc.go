// Package api is Triad's HTTP API: huma operations over the store, described by OpenAPI 3.1
// at /openapi.json, with Server-Sent Events for live views. Every operation names its Cedar
// action; the console's typed client is generated from the same description.
package api
