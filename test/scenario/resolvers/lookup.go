// Asks Go's own resolver for the addresses of every name on standard input; one line a name: "NAME ADDRESS..." or "NAME !REASON".
package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

func main() {
	resolver := net.Resolver{PreferGo: true}
	names := bufio.NewScanner(os.Stdin)
	for names.Scan() {
		name := names.Text()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		found, err := resolver.LookupHost(ctx, name)
		cancel()
		if err != nil {
			fmt.Println(name, "!"+strings.ReplaceAll(err.Error(), " ", "_"))
			continue
		}
		fmt.Println(name, strings.Join(found, " "))
	}
}
