package aws

import (
	"fmt"
	"strconv"
	"strings"
)

// IP protocol numbers (IANA).
const (
	icmp   = 1
	tcp    = 6
	udp    = 17
	icmpv6 = 58
	every  = -1
)

// parseProtocol reads a protocol as the APIs write it: a name, a number, or -1.
func parseProtocol(s string) (int, error) {
	switch strings.ToLower(s) {
	case "-1", "all", "any":
		return every, nil
	case "tcp":
		return tcp, nil
	case "udp":
		return udp, nil
	case "icmp":
		return icmp, nil
	case "icmpv6", "ipv6-icmp":
		return icmpv6, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 255 {
		return 0, fmt.Errorf("%q is not an IP protocol", s)
	}
	return n, nil
}

func protocolName(p int) string {
	switch p {
	case every:
		return "all protocols"
	case tcp:
		return "tcp"
	case udp:
		return "udp"
	case icmp:
		return "icmp"
	case icmpv6:
		return "icmpv6"
	}
	return "protocol " + strconv.Itoa(p)
}
