// An object storage for tests: what `rclone serve s3` answers with, which checks every signature,
// over objects in memory.
//
// Usage: s3 ADDRESS ACCESS-KEY-ID SECRET-ACCESS-KEY
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: s3 ADDRESS ACCESS-KEY-ID SECRET-ACCESS-KEY")
	}
	storage := gofakes3.New(
		s3mem.New(),
		gofakes3.WithAutoBucket(true),
		gofakes3.WithV4Auth(map[string]string{os.Args[2]: os.Args[3]}),
	)
	log.Fatal(http.ListenAndServe(os.Args[1], storage.Server()))
}
