package demo

import (
	"flag"
	"fmt"
	"net"
	"strconv"
)

// Ports are the ports of a demo's origins on localhost.
type Ports struct{ Shop, WeChat, Desk, Phone int }

// portFlag is a flag that sets a port.
type portFlag struct {
	name, usage string
	standard    int
	port        func(*Ports) *int
}

var portFlags = []portFlag{
	{"shop-port", "`port` of the shop itself", 8787, func(p *Ports) *int { return &p.Shop }},
	{"wechat-port", "`port` of the simulated WeChat", 8800, func(p *Ports) *int { return &p.WeChat }},
	{"desk-port", "`port` of the desk with the phone", 8801, func(p *Ports) *int { return &p.Desk }},
	{"phone-port", "`port` of the phone's browser", 8802, func(p *Ports) *int { return &p.Phone }},
}

// PortFlags are the values of the flags that set Ports.
type PortFlags []*string

// NewPortFlags defines the flags -shop-port, -wechat-port, -desk-port and -phone-port.
func NewPortFlags(flags *flag.FlagSet) PortFlags {
	var values PortFlags
	for _, f := range portFlags {
		values = append(values, flags.String(f.name, strconv.Itoa(f.standard), f.usage))
	}
	return values
}

// Parse returns the ports. A port is at least min; port 0 is any free one. label returns what an
// error calls a flag.
func (values PortFlags) Parse(min int, label func(flag string) string) (p Ports, err error) {
	used := map[int]string{}
	for i, f := range portFlags {
		text := *values[i]
		n, err := strconv.Atoi(text)
		if err != nil || n < min || n > 65535 {
			return Ports{}, fmt.Errorf("%s=%s: want a port number from %d to 65535", label(f.name), text, min)
		}
		if other := used[n]; other != "" && n != 0 {
			return Ports{}, fmt.Errorf("%s and %s are both %d: want different ports", other, label(f.name), n)
		}
		used[n], *f.port(&p) = label(f.name), n
	}
	return p, nil
}

// InUse returns the first port that another program uses, with its flag, and 0 if all are free.
func (p Ports) InUse() (flag string, port int) {
	for _, f := range portFlags {
		port := *f.port(&p)
		if port == 0 {
			continue
		}
		l, err := net.Listen("tcp", Localhost(port))
		if err != nil {
			return f.name, port
		}
		l.Close()
	}
	return "", 0
}
