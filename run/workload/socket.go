package workload

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strconv"
)

// sockets are the listening sockets of one network namespace, by inode.
type sockets struct{ byInode map[uint64]Listener }

func (s *sockets) of(inodes map[uint64]bool) []Listener {
	if s == nil {
		return nil
	}
	var list []Listener
	for inode := range inodes {
		if l, ok := s.byInode[inode]; ok {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b Listener) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Address, b.Address))
	})
	return slices.Compact(list)
}

// network reads the listening sockets of a process's network namespace, once for each.
func (r *Reader) network(pid int, nets map[string]*sockets) (*sockets, error) {
	namespace, err := os.Readlink(r.path(pid, "ns/net"))
	if err != nil {
		namespace = "pid " + strconv.Itoa(pid)
	} else if s := nets[namespace]; s != nil {
		return s, nil
	}
	s := &sockets{byInode: map[uint64]Listener{}}
	var problem error
	for _, table := range []struct {
		file, protocol, state string
	}{
		// Socket states are TCP's (include/net/tcp_states.h): 0A is LISTEN; an unconnected UDP
		// socket is 07, CLOSE.
		{"tcp", "tcp", "0A"}, {"tcp6", "tcp", "0A"}, {"udp", "udp", "07"}, {"udp6", "udp", "07"},
	} {
		data, err := readSome(r.path(pid, "net/"+table.file), maxNet)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) { // IPv6 may be off
				problem = err
			}
			continue
		}
		parseSockets(data, table.protocol, table.state, s.byInode)
	}
	nets[namespace] = s
	return s, problem
}

// parseSockets reads /proc/PID/net/tcp and its kin (proc(5)): slot, local and remote
// address:port in hexadecimal, state, queues, timers, retransmits, user, timeout, inode.
func parseSockets(data []byte, protocol, state string, into map[uint64]Listener) {
	for line := range bytes.Lines(data) {
		fields := bytes.Fields(line)
		if len(fields) < 10 || string(fields[3]) != state {
			continue
		}
		if protocol == "udp" && !zeroPort(fields[2]) {
			continue // it speaks to one peer
		}
		address, port, ok := parseAddress(fields[1])
		inode, err := strconv.ParseUint(string(fields[9]), 10, 64)
		if !ok || err != nil || inode == 0 || port == 0 {
			continue
		}
		into[inode] = Listener{Protocol: protocol, Address: address.String(), Port: port}
	}
}

func zeroPort(remote []byte) bool {
	_, port, ok := bytes.Cut(remote, []byte{':'})
	return ok && string(port) == "0000"
}

// parseAddress reads 0100007F:1F90. The kernel prints each 32-bit word of the address in the
// machine's byte order.
func parseAddress(field []byte) (netip.Addr, int, bool) {
	digits, portDigits, ok := bytes.Cut(field, []byte{':'})
	if !ok || len(digits) != 8 && len(digits) != 32 {
		return netip.Addr{}, 0, false
	}
	b := make([]byte, len(digits)/2)
	if _, err := hex.Decode(b, digits); err != nil {
		return netip.Addr{}, 0, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	port, err := strconv.ParseUint(string(portDigits), 16, 16)
	address, ok := netip.AddrFromSlice(b)
	return address.Unmap(), int(port), ok && err == nil
}
