package workload

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Machine is what the machine says of itself.
type Machine struct {
	ID       string // /etc/machine-id
	Hostname string
	OS       string // PRETTY_NAME of os-release
	// Addresses are those of its interfaces, without loopback and link-local ones.
	Addresses []string
	// Provider is aws, azure or gcp where the firmware names it; Instance is then the machine's
	// ID there as far as the firmware tells (i-… on EC2 Nitro; the VM's UUID on Azure).
	Provider, Instance string
}

// ThisMachine reads the files in which the system and the firmware name the machine, below
// root ("/" but for tests), and its interfaces. It sends nothing.
func ThisMachine(root string) Machine {
	line := func(path string) string {
		data, err := readSome(filepath.Join(root, path), 4096)
		if err != nil {
			return ""
		}
		first, _, _ := strings.Cut(string(data), "\n")
		return strings.TrimSpace(first)
	}
	m := Machine{ID: line("etc/machine-id"), OS: osName(root)}
	m.Hostname, _ = os.Hostname()
	dmi := func(name string) string { return line("sys/class/dmi/id/" + name) }
	switch {
	case strings.HasPrefix(dmi("board_asset_tag"), "i-"): // EC2 Nitro
		m.Provider, m.Instance = "aws", dmi("board_asset_tag")
	case strings.HasPrefix(dmi("sys_vendor"), "Amazon"):
		m.Provider = "aws"
	case dmi("chassis_asset_tag") == "7783-7084-3265-9085-8269-3286-77": // Azure's, on every machine
		m.Provider, m.Instance = "azure", strings.ToLower(dmi("product_uuid"))
	case dmi("product_name") == "Google Compute Engine":
		m.Provider = "gcp"
	}
	m.Addresses = addresses()
	return m
}

func osName(root string) string {
	for _, path := range []string{"etc/os-release", "usr/lib/os-release"} {
		data, err := readSome(filepath.Join(root, path), 64<<10)
		if err != nil {
			continue
		}
		for l := range strings.Lines(string(data)) {
			if name, ok := strings.CutPrefix(strings.TrimSpace(l), "PRETTY_NAME="); ok {
				return strings.Trim(name, `"'`)
			}
		}
	}
	return ""
}

func addresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var list []string
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if ip := prefix.Addr().Unmap(); !ip.IsLoopback() && !ip.IsLinkLocalUnicast() {
			list = append(list, ip.String())
		}
	}
	slices.Sort(list)
	return list
}
