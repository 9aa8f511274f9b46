// Package risk turns the estate into ranked decisions and keeps them while it changes.
//
// The Engine holds a tenant's rows in memory, asks reach for the ways from the internet,
// joins vulnerabilities, listeners, identities and data stores, and decides by SSVC's
// deployer table. It follows the store's change log by position and repeats only the
// computations that read a changed row. It knows no collector: see Ways and Options.
package risk
