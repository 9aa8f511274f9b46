package sbom

import (
	"strings"
)

// Distro is what /etc/os-release says of a distribution: os-release(5).
type Distro struct {
	ID         string // debian
	Version    string // VERSION_ID: 12
	Codename   string // VERSION_CODENAME: bookworm
	PrettyName string // PRETTY_NAME
	CPE        string // CPE_NAME, by which Red Hat names its repositories
}

// codenames of releases whose os-release gives no number (testing), or whose package URLs
// carry only the name.
var codenames = map[string]string{
	"buzz": "1.1", "jessie": "8", "stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14", "duke": "15",
	"trusty": "14.04", "xenial": "16.04", "bionic": "18.04", "focal": "20.04", "jammy": "22.04", "mantic": "23.10", "noble": "24.04",
	"oracular": "24.10", "plucky": "25.04", "questing": "25.10", "resolute": "26.04",
}

// ParseDistro reads os-release. A value may stand in single or double quotes.
func ParseDistro(data string) Distro {
	var d Distro
	for line := range strings.Lines(data) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		switch key {
		case "ID":
			d.ID = value
		case "VERSION_ID":
			d.Version = value
		case "VERSION_CODENAME":
			d.Codename = value
		case "PRETTY_NAME":
			d.PrettyName = value
		case "CPE_NAME":
			d.CPE = value
		}
	}
	return d
}

// Ecosystem is the distribution's name and release as OSV's records carry them, empty for
// one that has no records there.
func (d Distro) Ecosystem() string {
	version := d.Version
	if version == "" {
		version = codenames[d.Codename]
	}
	major, _, _ := strings.Cut(version, ".")
	switch strings.ToLower(d.ID) {
	case "debian":
		return release("Debian", major)
	case "ubuntu":
		if year, month, _ := strings.Cut(version, "."); month == "04" && len(year) == 2 && (year[1]-'0')%2 == 0 {
			version += ":LTS" // every second April
		}
		return release("Ubuntu", version)
	case "alpine":
		parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
		if strings.Contains(version, "alpha") || strings.Contains(version, "edge") || strings.Contains(version, "_") {
			return "Alpine:edge"
		}
		if len(parts) < 2 {
			return "Alpine"
		}
		return "Alpine:v" + parts[0] + "." + parts[1]
	case "wolfi":
		return "Wolfi"
	case "chainguard":
		return "Chainguard"
	case "minimos":
		return "MinimOS"
	case "alpaquita":
		return release("Alpaquita", version)
	case "bellsoft-hardened-containers":
		return release("BellSoft Hardened Containers", version)
	case "echo":
		return "Echo"
	case "almalinux":
		return release("AlmaLinux", major)
	case "rocky":
		return release("Rocky Linux", major)
	case "rhel", "redhat":
		_, suffix, _ := strings.Cut(d.CPE, ":redhat:")
		return release("Red Hat", suffix)
	case "opensuse-leap":
		return release("openSUSE", prefixed("Leap ", version))
	case "opensuse-tumbleweed":
		return "openSUSE:Tumbleweed"
	case "sles", "suse":
		return release("SUSE", prefixed("Linux Enterprise Server ", strings.Replace(version, ".", " SP", 1)))
	case "sle-micro", "sl-micro", "suse-microos":
		return release("SUSE", prefixed("Linux Enterprise Micro ", version))
	case "mageia":
		return release("Mageia", major)
	case "openeuler":
		return release("openEuler", openEuler(d))
	case "azurelinux", "mariner":
		return release("Azure Linux", major)
	case "photon":
		return release("Photon OS", version)
	}
	return ""
}

// openEuler's records carry "24.03-LTS-SP1", its os-release "openEuler 24.03 (LTS-SP1)".
func openEuler(d Distro) string {
	_, kind, ok := strings.Cut(d.PrettyName, "(")
	if !ok || d.Version == "" {
		return d.Version
	}
	return d.Version + "-" + strings.ReplaceAll(strings.TrimSuffix(kind, ")"), " ", "-")
}

func prefixed(prefix, version string) string {
	if version == "" {
		return ""
	}
	return prefix + version
}

func release(name, version string) string {
	if version == "" {
		return name
	}
	return name + ":" + version
}
