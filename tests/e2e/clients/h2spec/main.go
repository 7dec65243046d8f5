// h2spec, which checks a server against RFC 9113 and 7541, over TLS: run PORT REPORT
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/summerwind/h2spec"
	"github.com/summerwind/h2spec/config"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: run PORT REPORT.xml")
		os.Exit(2)
	}
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	// A slow machine only makes it longer: what is expected comes at once, or never.
	_, err = h2spec.Run(&config.Config{
		Host: "localhost", Port: port, Path: "/v1/logs", Timeout: 10 * time.Second, MaxHeaderLen: 4000,
		JUnitReport: os.Args[2], Strict: true, TLS: true, Insecure: true,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
