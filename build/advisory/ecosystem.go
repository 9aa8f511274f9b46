package advisory

import (
	"strings"
)

// families are the ecosystems of the OSV schema (§ affected[].package field), by lower case.
var families = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{
		"AlmaLinux", "Alpaquita", "Alpine", "Azure Linux", "BellSoft Hardened Containers", "Bioconductor", "Bitnami",
		"Chainguard", "CleanStart", "ConanCenter", "CRAN", "crates.io", "Debian", "Docker Hardened Images", "Echo", "GHC", "GitHub Actions", "Go",
		"Hackage", "Hex", "Julia", "Kubernetes", "Mageia", "Maven", "MinimOS", "npm", "NuGet", "opam", "openEuler", "openSUSE", "Packagist",
		"Photon OS", "Pub", "PyPI", "Red Hat", "Rocky Linux", "RubyGems", "SUSE", "SwiftURL", "Ubuntu", "VSCode", "Wolfi",
	} {
		m[strings.ToLower(name)] = name
	}
	return m
}()

// Families lists the ecosystems that packages are matched in.
func Families() []string {
	out := make([]string, 0, len(families))
	for _, f := range families {
		out = append(out, f)
	}
	return out
}

// Family is the ecosystem without its release, in OSV's spelling whatever the letter case.
func Family(ecosystem string) string {
	name, _, _ := strings.Cut(ecosystem, ":")
	name = strings.TrimSpace(name)
	if f, ok := families[strings.ToLower(name)]; ok {
		return f
	}
	return name
}

// debianReleases are Debian's codenames (https://www.debian.org/releases/).
var debianReleases = map[string]string{
	"jessie": "8", "stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14", "duke": "15",
}

// ubuntuReleases are the codenames of Ubuntu's long-term releases and those that are
// supported beside them (https://wiki.ubuntu.com/Releases).
var ubuntuReleases = map[string]string{
	"trusty": "14.04", "xenial": "16.04", "bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04",
	"oracular": "24.10", "plucky": "25.04", "questing": "25.10",
}

// NeedsRelease reports whether advisories of the family hold for one release of it only.
func NeedsRelease(family string) bool {
	switch family {
	case "Debian", "Ubuntu", "Alpine", "AlmaLinux", "Rocky Linux", "Red Hat", "SUSE", "openSUSE", "openEuler", "Mageia", "Photon OS", "Azure Linux", "Alpaquita":
		return true
	}
	return false
}

// Release is the release part of an ecosystem in one spelling, so that what a record and a
// package say can be compared: "Debian:bookworm" and "Debian:12" give "12", "Alpine:v3.20"
// and "Alpine:3.20.2" give "v3.20". Empty where there is none.
func Release(ecosystem string) string {
	name, release, ok := strings.Cut(ecosystem, ":")
	if !ok {
		return ""
	}
	release = strings.TrimSpace(release)
	switch Family(name) {
	case "Debian":
		release = strings.ToLower(release)
		if n, ok := debianReleases[release]; ok {
			return n
		}
		return firstParts(release, 1)
	case "Ubuntu":
		return ubuntuRelease(release)
	case "Alpine", "Alpaquita":
		release = strings.ToLower(release)
		if release != "" && release[0] >= '0' && release[0] <= '9' {
			release = "v" + release
		}
		return firstParts(release, 2)
	case "AlmaLinux", "Rocky Linux", "Mageia", "Azure Linux":
		return firstParts(strings.TrimPrefix(strings.ToLower(release), "v"), 1)
	case "Photon OS":
		return firstParts(release, 2)
	case "Red Hat":
		return redHatRelease(release)
	case "SUSE", "openSUSE":
		return suseRelease(release)
	}
	return release
}

// ubuntuRelease: "22.04:LTS", "22.04", "jammy" are one; "Pro:22.04:LTS" has fixes that come
// with a subscription only and stays apart.
func ubuntuRelease(release string) string {
	parts := strings.Split(release, ":")
	prefix := ""
	for len(parts) > 1 && (parts[0] == "" || parts[0][0] < '0' || parts[0][0] > '9') {
		if _, ok := ubuntuReleases[strings.ToLower(parts[0])]; ok {
			break
		}
		prefix += parts[0] + ":"
		parts = parts[1:]
	}
	number := strings.ToLower(parts[0])
	if n, ok := ubuntuReleases[number]; ok {
		number = n
	}
	return prefix + firstParts(number, 2)
}

// redHatRelease: records name a product by the end of its CPE, "enterprise_linux:9::appstream";
// packages are known by the major release alone. Extended-support products (rhel_eus:9.2) have
// fixes that the plain product does not get and stay apart.
func redHatRelease(release string) string {
	product, rest, ok := strings.Cut(release, ":")
	if !ok {
		if product == "" || product[0] < '0' || product[0] > '9' {
			return product
		}
		return "enterprise_linux:" + firstParts(product, 1)
	}
	number, _, _ := strings.Cut(rest, ":")
	if product == "enterprise_linux" {
		number = firstParts(number, 1)
	}
	return product + ":" + number
}

// suseRelease: records name a product, "Linux Enterprise Module for Basesystem 15 SP5", and an
// installed machine has several; the service pack is what keeps releases apart.
func suseRelease(release string) string {
	fields := strings.Fields(release)
	for i, f := range fields {
		if f[0] < '0' || f[0] > '9' {
			continue
		}
		major, pack, dotted := strings.Cut(f, ".")
		switch {
		case i > 0 && strings.EqualFold(fields[i-1], "Leap"), i > 0 && strings.EqualFold(fields[i-1], "Micro"):
			return fields[i-1] + " " + f
		case i+1 < len(fields) && strings.HasPrefix(strings.ToUpper(fields[i+1]), "SP"):
			return f + " " + strings.ToUpper(strings.SplitN(fields[i+1], "-", 2)[0])
		case dotted && pack != "0":
			return major + " SP" + pack
		}
		return major
	}
	if len(fields) > 0 {
		return fields[len(fields)-1] // Tumbleweed
	}
	return ""
}

// firstParts keeps the first n dot-separated parts of a version.
func firstParts(version string, n int) string {
	parts := strings.SplitN(version, ".", n+1)
	return strings.Join(parts[:min(n, len(parts))], ".")
}

// NormalName is a package's name in the one spelling that its ecosystem treats as the same.
func NormalName(family, name string) string {
	switch family {
	case "PyPI":
		// PEP 503: runs of - _ . are one hyphen, letters are lower case.
		var b strings.Builder
		b.Grow(len(name))
		gap := false
		for i := range len(name) {
			c := name[i]
			if c == '-' || c == '_' || c == '.' {
				gap = true
				continue
			}
			if gap {
				b.WriteByte('-')
				gap = false
			}
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			b.WriteByte(c)
		}
		if gap {
			b.WriteByte('-')
		}
		return b.String()
	case "crates.io":
		// The registry lets no two crates differ in - and _ or letter case only.
		return strings.ReplaceAll(strings.ToLower(name), "-", "_")
	case "Go":
		// purl lowers Go names, hosts of code do not tell letter case apart.
		return strings.ToLower(strings.TrimSuffix(name, "/"))
	case "SwiftURL":
		name = strings.ToLower(name)
		if _, rest, ok := strings.Cut(name, "://"); ok {
			name = rest
		}
		return strings.TrimSuffix(name, ".git")
	case "npm", "NuGet", "Packagist", "Hex", "Pub", "GitHub Actions", "ConanCenter", "Bitnami":
		return strings.ToLower(name)
	}
	return name
}

// key is what a package's advisories are filed under.
func key(family, name string) string {
	return strings.ToLower(family) + "\x00" + NormalName(family, name)
}
