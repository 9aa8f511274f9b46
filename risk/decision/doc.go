// Package decision holds SSVC's deployer table and the order of decisions.
//
// The table takes Exploitation, System Exposure, Automatable and Human Impact to an outcome.
// Inside one outcome decisions are ordered by EPSS, use at runtime and CVSS.
package decision
