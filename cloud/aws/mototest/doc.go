// Package mototest runs moto, an AWS API server written in Python that nobody here wrote, for
// tests of the live collector, and loads a dump into it through the SDK.
//
// The server comes from PyPI at a pinned version into a virtual environment under the user's
// cache directory, which the first test makes. TRIAD_MOTO=require turns a missing server from
// a skipped test into a failed one.
package mototest
