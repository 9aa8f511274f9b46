module github.com/triad-security/triad/bench/peers

go 1.26.0

require github.com/google/osv-scalibr v0.5.3
