package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"crossdock.dev/cmd/crossdock/internal/show"
	"crossdock.dev/platform/rpcerr"
)

// resource is a kind of resource as the command line lists and gets it. F is the request of its List method.
type resource[M named, F any] struct {
	service    string
	collection string // of the resource name, "orders"
	// list returns a page; page_size and page_token are its other arguments.
	list func(ctx context.Context, cc grpc.ClientConnInterface, filter F, size int32, token string) ([]M, string, error)
	get  func(ctx context.Context, cc grpc.ClientConnInterface, name string) (M, error)
	// byNumber is the filter for the number that people use; nil when there is none.
	byNumber func(number string) F
	columns  []column[M]
}

type named interface {
	proto.Message
	GetName() string
}

type column[M any] struct {
	head  string
	right bool
	text  func(M) string
}

// Paging bounds a list.
type Paging struct {
	Limit int `help:"At most this many; 0 means all." default:"100"`
}

// pageSize is what is asked for at once.
const pageSize = 200

func (r resource[M, F]) fetch(ctx context.Context, env *Env, filter F, limit int) ([]M, error) {
	cc, err := env.Connect(r.service)
	if err != nil {
		return nil, err
	}
	return pages(limit, func(size int32, token string) ([]M, string, error) { return r.list(ctx, cc, filter, size, token) })
}

// pages reads pages until there are limit items, or all for 0.
func pages[M any](limit int, list func(size int32, token string) ([]M, string, error)) ([]M, error) {
	var out []M
	token := ""
	for {
		size := pageSize
		if limit > 0 {
			size = min(size, limit-len(out))
		}
		items, next, err := list(int32(size), token)
		if err != nil {
			return nil, err
		}
		out = append(out, items...)
		if next == "" || limit > 0 && len(out) >= limit {
			return out, nil
		}
		token = next
	}
}

func (r resource[M, F]) runList(ctx context.Context, env *Env, filter F, limit int) error {
	items, err := r.fetch(ctx, env, filter, limit)
	if err != nil {
		return err
	}
	return printList(env, r.columns, items)
}

func printList[M named](env *Env, columns []column[M], items []M) error {
	switch env.Output {
	case "json":
		return show.ListJSON(env.Out, items)
	case "name":
		for _, m := range items {
			if _, err := fmt.Fprintln(env.Out, m.GetName()); err != nil {
				return err
			}
		}
		return nil
	}
	return printTable(env, columns, items)
}

func printTable[M any](env *Env, columns []column[M], items []M) error {
	heads := make([]show.Column, len(columns))
	for i, c := range columns {
		heads[i] = show.Column{Head: c.head, Right: c.right}
	}
	rows := make([][]string, len(items))
	for i, m := range items {
		for _, c := range columns {
			rows[i] = append(rows[i], c.text(m))
		}
	}
	return show.Table(env.Out, heads, rows)
}

func (r resource[M, F]) runGet(ctx context.Context, env *Env, ref string) error {
	m, err := r.find(ctx, env, ref)
	if err != nil {
		return err
	}
	return printOne(env, m)
}

func printOne[M named](env *Env, m M) error {
	switch env.Output {
	case "json":
		return show.MessageJSON(env.Out, m)
	case "name":
		_, err := fmt.Fprintln(env.Out, m.GetName())
		return err
	}
	return show.Detail(env.Out, m)
}

// typeID is what the suite's own ids look like: a prefix and 26 characters of base32.
var typeID = regexp.MustCompile(`^[a-z][a-z_]*_[0-9a-z]{26}$`)

// find resolves a resource name, a bare id, or the number that people use.
func (r resource[M, F]) find(ctx context.Context, env *Env, ref string) (M, error) {
	var none M
	if name, ok := r.nameOf(ref); ok {
		cc, err := env.Connect(r.service)
		if err != nil {
			return none, err
		}
		return r.get(ctx, cc, name)
	}
	found, err := r.fetch(ctx, env, r.byNumber(ref), 20)
	if err != nil {
		return none, err
	}
	switch len(found) {
	case 0:
		return none, rpcerr.NotFound(r.collection + " with the number " + ref)
	case 1:
		return found[0], nil
	}
	names := make([]string, len(found))
	for i, m := range found {
		names[i] = m.GetName()
	}
	return none, (&rpcerr.Error{Code: codes.FailedPrecondition, Reason: "AMBIGUOUS", Message: fmt.Sprintf("%d %s have the number %s", len(found), r.collection, ref)}).
		With("names", strings.Join(names, ", "))
}

// nameOf is the resource name that ref states; ok is false when ref is a number to look for.
func (r resource[M, F]) nameOf(ref string) (string, bool) {
	switch {
	case strings.Contains(ref, "/"):
		return ref, true
	case typeID.MatchString(ref) || r.byNumber == nil:
		return r.collection + "/" + ref, true
	}
	return "", false
}

// resolve is the name of the resource that ref leads to; "" for "".
func (r resource[M, F]) resolve(ctx context.Context, env *Env, ref string) (string, error) {
	if ref == "" {
		return "", nil
	}
	if name, ok := r.nameOf(ref); ok {
		return name, nil
	}
	m, err := r.find(ctx, env, ref)
	if err != nil {
		return "", err
	}
	return m.GetName(), nil
}
