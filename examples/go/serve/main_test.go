// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The test's program is the server, too, where it is asked to be.
func TestMain(m *testing.M) {
	if os.Getenv("SELSNAP_EXAMPLE_SERVE") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// get asks for a part of a snapshot.
func get(t *testing.T, url, part string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Range", "bytes="+part)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, body
}

func TestServe(t *testing.T) {
	server := exec.Command(os.Args[0])
	server.Dir = t.TempDir()
	server.Env = append(os.Environ(), "SELSNAP_EXAMPLE_SERVE=1")
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	}()
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url = strings.TrimSpace(url)
	if code, body := get(t, url, "0-9"); code != http.StatusPartialContent || !bytes.Equal(body, make([]byte, 10)) {
		t.Fatalf("monday: %d, %q", code, body)
	}
	if code, body := get(t, url, "67108863-"); code != http.StatusPartialContent || len(body) != 1 {
		t.Fatalf("monday's end: %d, %q", code, body)
	}
	if code, _ := get(t, url+"x", "0-9"); code != http.StatusNotFound {
		t.Fatalf("a snapshot that is not there: %d", code)
	}
}
