package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"

	"crossdock.dev/bench/internal/load"
)

// wideOpen is a quota that nobody reaches. The shipped one, 50 calls a second for a partner, is there to be reached.
const wideOpen = "quota: {per_second: 1000000, burst: 1000000, partners: 10000}\n"

// restCreateOrder takes orders in through the edge: JSON over HTTP, an API key, the gateway of orders.
func restCreateOrder(ctx context.Context, r *runner) (err error) {
	if err := r.reset(); err != nil {
		return err
	}
	if err := appendTo(r.Home.Config("edge"), wideOpen); err != nil {
		return err
	}
	run, err := r.Home.Only(ctx, "masterdata", "orders", "edge")
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: r.Conns, MaxIdleConnsPerHost: r.Conns}, Timeout: callTimeout}
	numbers, url, key := newRun(), r.Home.EdgeURL()+"/v1/orders", r.Home.Key(customer)
	var made atomic.Uint64
	f, _, err := r.measured(ctx, "rest-create-order", fmt.Sprintf("callers=%d", r.Conns), r.plan(r.Conns), servers(run, "edge", "orders"),
		func(ctx context.Context, t load.Turn) error {
			body, err := protojson.Marshal(order(numbers, t.N))
			if err != nil {
				return err
			}
			if err := post(ctx, client, url, key, body); err != nil {
				return err
			}
			made.Add(1)
			return nil
		})
	client.CloseIdleConnections()
	if err := errors.Join(err, run.Stop()); err != nil {
		return err
	}
	if err := r.checkOrders(made.Load()); err != nil {
		return err
	}
	if err := r.against(ctx, &f, limitEchoWriterLoop); err != nil {
		return err
	}
	return r.found(f)
}

func post(ctx context.Context, client *http.Client, url, key string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Idempotency-Key", uuid.NewString())
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return err
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
