package advisory

import "testing"

func TestReleasesOfOneDistributionHaveOneSpelling(t *testing.T) {
	tests := []struct{ ecosystem, family, release string }{
		{"Debian:12", "Debian", "12"},
		{"debian:12.5", "Debian", "12"},
		{"Debian:bookworm", "Debian", "12"},
		{"Debian:11", "Debian", "11"},
		{"Debian", "Debian", ""},
		{"Alpine:v3.20", "Alpine", "v3.20"},
		{"Alpine:3.20.3", "Alpine", "v3.20"},
		{"Alpine:edge", "Alpine", "edge"},
		{"Ubuntu:22.04:LTS", "Ubuntu", "22.04"},
		{"Ubuntu:jammy", "Ubuntu", "22.04"},
		{"Ubuntu:24.10", "Ubuntu", "24.10"},
		{"Ubuntu:Pro:16.04:LTS", "Ubuntu", "Pro:16.04"},
		{"AlmaLinux:9", "AlmaLinux", "9"},
		{"almalinux:9.4", "AlmaLinux", "9"},
		{"Rocky Linux:9", "Rocky Linux", "9"},
		{"Red Hat:enterprise_linux:9::appstream", "Red Hat", "enterprise_linux:9"},
		{"Red Hat:9.4", "Red Hat", "enterprise_linux:9"},
		{"Red Hat:rhel_eus:9.2::baseos", "Red Hat", "rhel_eus:9.2"},
		{"SUSE:Linux Enterprise Module for Basesystem 15 SP5", "SUSE", "15 SP5"},
		{"SUSE:15.5", "SUSE", "15 SP5"},
		{"SUSE:Linux Enterprise Server 12 SP5-LTSS", "SUSE", "12 SP5"},
		{"openSUSE:Leap 15.5", "openSUSE", "Leap 15.5"},
		{"openSUSE:Tumbleweed", "openSUSE", "Tumbleweed"},
		{"openEuler:22.03-LTS-SP3", "openEuler", "22.03-LTS-SP3"},
		{"NPM", "npm", ""},
		{"CRATES.IO", "crates.io", ""},
		{"Something New:1", "Something New", "1"},
	}
	for _, tt := range tests {
		if got := Family(tt.ecosystem); got != tt.family {
			t.Errorf("family of %s is %q, want %q", tt.ecosystem, got, tt.family)
		}
		if got := Release(tt.ecosystem); got != tt.release {
			t.Errorf("release of %s is %q, want %q", tt.ecosystem, got, tt.release)
		}
	}
}

func TestNamesThatAnEcosystemTreatsAsOneAreOne(t *testing.T) {
	tests := []struct{ family, a, b string }{
		{"PyPI", "Zope.Interface", "zope-interface"},
		{"PyPI", "a__b--c", "A.b-c"},
		{"NuGet", "Newtonsoft.Json", "newtonsoft.json"},
		{"Packagist", "Symfony/Http-Kernel", "symfony/http-kernel"},
		{"crates.io", "serde-json", "Serde_JSON"},
		{"Go", "github.com/BurntSushi/toml", "github.com/burntsushi/toml"},
		{"SwiftURL", "https://github.com/Apple/swift-nio.git", "github.com/apple/swift-nio"},
	}
	for _, tt := range tests {
		if NormalName(tt.family, tt.a) != NormalName(tt.family, tt.b) {
			t.Errorf("%s: %s and %s differ", tt.family, tt.a, tt.b)
		}
	}
	for _, tt := range []struct{ family, a, b string }{{"Maven", "g:A", "g:a"}, {"Debian", "libA", "liba"}, {"RubyGems", "RedCloth", "redcloth"}} {
		if NormalName(tt.family, tt.a) == NormalName(tt.family, tt.b) {
			t.Errorf("%s: %s and %s are one", tt.family, tt.a, tt.b)
		}
	}
}

// The scores are those of the examples in FIRST's specifications and of NVD for these CVEs.
func TestScoresAreComputedFromTheVector(t *testing.T) {
	tests := []struct {
		vector      string
		version     string
		score       float64
		rating      string
		automatable bool
	}{
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "3.1", 10, "critical", true},   // CVE-2021-44228
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "3.1", 9.8, "critical", true},  // CVE-2022-22965
		{"CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:H", "3.0", 9.1, "critical", true},  // CVE-2019-10744
		{"CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:C/C:H/I:H/A:H", "3.1", 9.0, "critical", false}, // CVE-2021-45046
		{"CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", "3.1", 7.8, "high", false},     // CVE-2021-4034
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "3.1", 6.1, "medium", false},   // reflected XSS
		{"CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", "4.0", 10, "critical", true},
		{"CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "4.0", 9.2, "critical", false},
		{"AV:N/AC:L/Au:N/C:C/I:C/A:C", "2.0", 10, "high", false},  // CVE-2002-0392 is 7.8 with C:N/I:N
		{"AV:N/AC:L/Au:N/C:N/I:N/A:C", "2.0", 7.8, "high", false}, // CVE-2002-0392
		{"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "3.1", 0, "unknown", true},
	}
	for _, tt := range tests {
		c, ok := ParseCVSS(tt.vector)
		if !ok || c.Version != tt.version || c.Score != tt.score || c.Rating() != tt.rating || c.Automatable != tt.automatable {
			t.Errorf("%s: got %+v %s %v", tt.vector, c, c.Rating(), ok)
		}
	}
	for _, bad := range []string{"", "CVSS:3.1/", "CVSS:3.1/AV:N", "CVSS:5.0/AV:N/AC:L", "7.5", "high", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/AV:N"} {
		if c, ok := ParseCVSS(bad); ok {
			t.Errorf("%q is scored %v", bad, c)
		}
	}
}

func FuzzCVSS(f *testing.F) {
	f.Add("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H")
	f.Add("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H")
	f.Add("(AV:N/AC:L/Au:N/C:C/I:C/A:C)")
	f.Fuzz(func(t *testing.T, vector string) {
		if c, ok := ParseCVSS(vector); ok && !(c.Score >= 0 && c.Score <= 10) {
			t.Fatalf("%q scores %v", vector, c.Score)
		}
	})
}
