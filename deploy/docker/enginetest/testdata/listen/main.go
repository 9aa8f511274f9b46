// Command listen is the program of test images: it listens, opens and maps files, and starts
// children, as its arguments say.
//
//	listen [-tcp ADDRESS]… [-udp ADDRESS]… [-open FILE]… [-map FILE]… [-- CHILD ARGUMENT…]
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	var keep []any
	each := func(name string, do func(string) (any, error)) {
		flag.Func(name, name, func(value string) error {
			v, err := do(value)
			keep = append(keep, v)
			return err
		})
	}
	each("tcp", func(s string) (any, error) {
		l, err := net.Listen("tcp", s)
		if err == nil {
			go serve(l)
		}
		return l, err
	})
	each("udp", func(s string) (any, error) { return net.ListenPacket("udp", s) })
	each("open", func(s string) (any, error) { return os.Open(s) })
	each("map", func(s string) (any, error) {
		f, err := os.Open(s)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_EXEC, syscall.MAP_PRIVATE)
	})
	flag.Parse()
	if child := flag.Args(); len(child) > 0 {
		cmd := exec.Command(child[0], child[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fmt.Println("ready")
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	_ = keep
}

func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		fmt.Fprintln(c, os.Args[0])
		c.Close()
	}
}
