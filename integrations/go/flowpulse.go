// Tells FlowPulse how runs end. It never panics, and waits at most 10 s for an answer. Go 1.18 or newer.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	flowpulseURL      = "https://flowpulse.example.org/api/v1/ingest"
	flowpulseKey      = "fp_your_key"
	flowpulseWorkflow = "your-workflow"
	flowpulseLongest  = 50000 // of an error message: a report that is too large is refused.
)

var flowpulseClient = &http.Client{Timeout: 10 * time.Second}

// Report sends "run-success" or "run-failure"; true once FlowPulse has it.
func Report(event string, fields map[string]any) (taken bool) {
	defer func() {
		if reason := recover(); reason != nil {
			fmt.Fprintln(os.Stderr, "FlowPulse did not take the report:", reason)
		}
	}()
	body := map[string]any{
		"workflow_slug":   flowpulseWorkflow,
		"ended_at":        time.Now().UTC().Format(time.RFC3339Nano),
		"source_platform": "go",
	}
	for name, value := range fields {
		body[name] = value
	}
	data, err := json.Marshal(body)
	key := randomID() // The same for all tries.
	for _, pause := range []time.Duration{time.Second, 3 * time.Second, 0} {
		if data == nil {
			break
		}
		var status int
		var wanted time.Duration
		status, wanted, err = send(event, key, data)
		if err == nil {
			return true
		}
		if status != 0 && status < 500 && status != http.StatusTooManyRequests {
			break
		}
		if pause > 0 && wanted > pause {
			pause = min10(wanted)
		}
		time.Sleep(pause)
	}
	fmt.Fprintln(os.Stderr, "FlowPulse did not take the report:", err)
	return false
}

// Watched reports the job's success or failure; its error, or its panic, goes on.
func Watched(job func() error) (err error) {
	run := map[string]any{
		"external_execution_id": randomID(),
		"started_at":            time.Now().UTC().Format(time.RFC3339Nano),
	}
	ended := false
	defer func() {
		if ended {
			return
		}
		run["error_type"], run["error_message"] = "panic", "The job panicked"
		Report("run-failure", run)
	}()
	err = job()
	ended = true
	if err == nil {
		Report("run-success", run)
		return nil
	}
	message := fmt.Sprint(err) // Unlike err.Error(), it survives an error that is a nil pointer.
	if len(message) > flowpulseLongest {
		message = message[:flowpulseLongest]
	} else if strings.TrimSpace(message) == "" {
		message = "The job failed without a message"
	}
	run["error_type"], run["error_message"] = fmt.Sprintf("%T", err), message
	Report("run-failure", run)
	return err
}

// send makes one try; the status is 0 where no answer came.
func send(event, key string, data []byte) (int, time.Duration, error) {
	request, err := http.NewRequest("POST", flowpulseURL+"/"+event, bytes.NewReader(data))
	if err != nil {
		return 0, 0, err
	}
	secret := os.Getenv("FLOWPULSE_API_KEY")
	if secret == "" {
		secret = flowpulseKey
	}
	request.Header.Set("X-API-Key", secret)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", key)
	answer, err := flowpulseClient.Do(request)
	if err != nil {
		return 0, 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 == 2 {
		return answer.StatusCode, 0, nil
	}
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 2000))
	seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
	return answer.StatusCode, time.Duration(seconds) * time.Second,
		fmt.Errorf("%d %s", answer.StatusCode, text)
}

func min10(wanted time.Duration) time.Duration {
	if wanted > 10*time.Second {
		return 10 * time.Second
	}
	return wanted
}

func randomID() string {
	bytes := make([]byte, 16)
	if _, err := rand.Read(bytes); err != nil {
		return strconv.FormatInt(time.Now().UnixNano(), 36)
	}
	return hex.EncodeToString(bytes)
}
