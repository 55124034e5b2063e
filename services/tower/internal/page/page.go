// Package page serves the control tower's page: what was built from web/ and is embedded here, its data as JSON, and a stream that
// says when there is something new. It promises that the page loads nothing from elsewhere and runs no script but its own. It leaves
// every figure to the methods of tower, which it calls as people do.
package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	"crossdock.dev/platform/clock"
	"crossdock.dev/platform/rpcerr"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/tower/internal/store"
)

// Cases are the methods about cases that the page calls.
type Cases interface {
	ListCases(context.Context, *towerv1.ListCasesRequest) (*towerv1.ListCasesResponse, error)
	Explain(context.Context, *towerv1.ExplainRequest) (*towerv1.ExplainResponse, error)
}

// Deps is what the page is given.
type Deps struct {
	Store    *platform.Store // for the names of parties, and to tell when it changes
	Cases    Cases
	Overview towerv1.OverviewServiceServer
	Machine  clock.Machine
	Log      *slog.Logger
	Stop     <-chan struct{} // closed when the program is to stop: streams end, so that nobody waits for them
}

// Page is the page.
type Page struct {
	Deps
	files map[string]*file
}

// New returns the page.
func New(d Deps) (*Page, error) {
	files, err := built()
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Page{d, files}, nil
}

// policy lets the page load what this server serves and nothing else: no inline script or style, no frame, no base.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Handler serves the page at "/", "/exceptions", "/cases" and "/cases/{id}", "/find" for any id or number, and its data below "/v1/".
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{"/{$}", "/exceptions", "/cases"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { p.shell(w, r, http.StatusOK) })
	}
	mux.HandleFunc("GET /cases/{id}", p.caseShell)
	mux.HandleFunc("GET /find", p.find)
	mux.HandleFunc("GET /assets/{name}", p.asset)
	mux.HandleFunc("GET /v1/overview", p.overview)
	mux.HandleFunc("GET /v1/exceptions", p.exceptions)
	mux.HandleFunc("GET /v1/cases", p.cases)
	mux.HandleFunc("GET /v1/cases/{id}", p.case_)
	mux.HandleFunc("GET /v1/find", p.found)
	mux.HandleFunc("GET /v1/stream", p.stream)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) { p.shell(w, r, http.StatusNotFound) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		mux.ServeHTTP(w, r)
	})
}

func (p *Page) overview(w http.ResponseWriter, r *http.Request) {
	p.answer(w, r, func(ctx context.Context) (any, error) {
		return p.Overview.GetOverview(ctx, &towerv1.GetOverviewRequest{})
	})
}

// mostRows is how many rows the page asks for at a time.
const mostRows = 200

func (p *Page) exceptions(w http.ResponseWriter, r *http.Request) {
	p.answer(w, r, func(ctx context.Context) (any, error) {
		return p.Overview.ListExceptions(ctx, &towerv1.ListExceptionsRequest{PageSize: mostRows, PageToken: r.URL.Query().Get("after")})
	})
}

// cases adds the names of parties to the cases, and leaves out the names and numbers that lead to each.
func (p *Page) cases(w http.ResponseWriter, r *http.Request) {
	p.answer(w, r, func(ctx context.Context) (any, error) {
		found, err := p.Cases.ListCases(ctx, &towerv1.ListCasesRequest{PageSize: mostRows, PageToken: r.URL.Query().Get("after")})
		if err != nil {
			return nil, err
		}
		for i, c := range found.GetCases() {
			found.Cases[i] = proto.CloneOf(c)
			found.Cases[i].References = nil
		}
		parties, err := p.parties(ctx, found.GetCases())
		return map[string]any{"cases": list(found.GetCases()), "nextPageToken": found.GetNextPageToken(), "parties": parties}, err
	})
}

// parties are the names for people of the customers and carriers of cases.
func (p *Page) parties(ctx context.Context, cases []*towerv1.Case) (map[string]string, error) {
	out := map[string]string{}
	err := p.Store.View(ctx, func(r platform.Reader) error {
		for _, c := range cases {
			for _, name := range []string{c.GetCustomer(), c.GetCarrier()} {
				if name == "" || out[name] != "" {
					continue
				}
				display, err := store.PartyName(ctx, r, name)
				if err != nil {
					return err
				}
				out[name] = display
			}
		}
		return nil
	})
	return out, err
}

func (p *Page) case_(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	p.answer(w, r, func(ctx context.Context) (any, error) {
		progress, err := p.Overview.GetCaseProgress(ctx, &towerv1.GetCaseProgressRequest{Case: "cases/" + id})
		if err != nil {
			return nil, err
		}
		found, err := p.Cases.Explain(ctx, &towerv1.ExplainRequest{Reference: "orders/" + id, Amount: "*"})
		if err != nil {
			return nil, err
		}
		return map[string]any{"thread": message(found.GetThreads()[0]), "progress": message(progress)}, nil
	})
}

// lookUp finds what any id or number leads to.
func (p *Page) lookUp(r *http.Request) (string, *towerv1.ExplainResponse, error) {
	reference := strings.TrimSpace(r.URL.Query().Get("q"))
	if reference == "" {
		return "", nil, status.Error(codes.NotFound, "no id or number")
	}
	found, err := p.Cases.Explain(r.Context(), &towerv1.ExplainRequest{Reference: reference})
	return reference, found, err
}

// find leads from any id or number to its case; where there are several or none, the page shows which.
func (p *Page) find(w http.ResponseWriter, r *http.Request) {
	_, found, err := p.lookUp(r)
	switch {
	case status.Code(err) == codes.NotFound:
		p.shell(w, r, http.StatusNotFound)
	case err == nil && len(found.GetThreads()) == 1 && found.GetThreads()[0].GetCase() != nil:
		id := store.CaseID(found.GetThreads()[0].GetCase().GetName())
		http.Redirect(w, r, "/cases/"+url.PathEscape(id), http.StatusSeeOther)
	default:
		p.shell(w, r, http.StatusOK) // the page asks again, and says what went wrong
	}
}

// found are the cases that an id or number leads to, and for something that became no order what happened to it.
func (p *Page) found(w http.ResponseWriter, r *http.Request) {
	p.answer(w, r, func(ctx context.Context) (any, error) {
		_, found, err := p.lookUp(r)
		if err != nil {
			return nil, err
		}
		return message(found), nil
	})
}

// caseShell is the page of a case, under the status that the case has.
func (p *Page) caseShell(w http.ResponseWriter, r *http.Request) {
	err := p.Store.View(r.Context(), func(rd platform.Reader) error {
		_, err := store.ExistingCase(r.Context(), rd, r.PathValue("id"))
		return err
	})
	if errors.Is(err, platform.ErrNotFound) {
		p.shell(w, r, http.StatusNotFound)
		return
	}
	p.shell(w, r, http.StatusOK) // the page asks for the data, and says what went wrong
}

// answer writes what fn returns as JSON, with the position of the read model that it holds at least.
func (p *Page) answer(w http.ResponseWriter, r *http.Request, fn func(context.Context) (any, error)) {
	position := label(p.Store.Last())
	v, err := fn(r.Context())
	if err != nil {
		p.problem(w, r, err)
		return
	}
	if m, ok := v.(proto.Message); ok {
		v = message(m)
	}
	body, err := json.Marshal(v)
	if err != nil {
		p.problem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Crossdock-Position", position)
	p.send(w, body)
}

// problem writes an error as problem details, RFC 9457.
func (p *Page) problem(w http.ResponseWriter, r *http.Request, err error) {
	e := rpcerr.FromStatus(status.Convert(err))
	code := map[codes.Code]int{
		codes.InvalidArgument: http.StatusBadRequest, codes.NotFound: http.StatusNotFound, codes.Unavailable: http.StatusServiceUnavailable,
		codes.DeadlineExceeded: http.StatusGatewayTimeout,
	}[e.Code]
	detail := e.Message
	if code == 0 {
		p.Log.Error("page failed", "path", r.URL.Path, "error", err)
		code, detail = http.StatusInternalServerError, "the read model does not answer; the log of tower says why"
	}
	body, err := json.Marshal(map[string]any{
		"type": "about:blank", "title": http.StatusText(code), "status": code, "detail": detail, "reason": e.Reason, "metadata": e.Metadata,
	})
	if err != nil {
		p.Log.Error("page failed", "path", r.URL.Path, "error", err)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	p.send(w, body)
}

func (p *Page) send(w http.ResponseWriter, body []byte) {
	if _, err := w.Write(body); err != nil {
		p.Log.Debug("page not sent", "error", err)
	}
}

// message is a message in JSON, with the names of the contract.
func message(m proto.Message) json.Marshaler { return marshaler{m} }

func list[M proto.Message](all []M) []json.Marshaler {
	out := make([]json.Marshaler, len(all))
	for i, m := range all {
		out[i] = message(m)
	}
	return out
}

type marshaler struct{ proto.Message }

// MarshalJSON writes zero counts and empty lists too, so that the page need not guess.
func (m marshaler) MarshalJSON() ([]byte, error) {
	return protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m.Message)
}
