// Package page serves the control tower's pages: the cases, and the thread of each. They are plain HTML made by the server;
// nothing is loaded from elsewhere.
package page

import (
	"context"
	"embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/timestamppb"

	towerv1 "crossdock.dev/gen/crossdock/tower/v1"
	kernel "crossdock.dev/kernel/money"
	platform "crossdock.dev/platform/store"
	"crossdock.dev/services/tower/internal/store"
)

//go:embed *.html
var files embed.FS

// Pages are the pages.
type Pages struct {
	store     *platform.Store
	log       *slog.Logger
	templates *template.Template
}

// New returns the pages over a read model.
func New(s *platform.Store, log *slog.Logger) (*Pages, error) {
	t, err := template.New("").Funcs(template.FuncMap{"amount": amount, "utc": utc, "bare": bare, "stage": stage}).ParseFS(files, "*.html")
	return &Pages{store: s, log: log, templates: t}, err
}

// Handler serves "/" and "/cases/{id}".
func (p *Pages) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.list)
	mux.HandleFunc("GET /cases/{id}", p.thread)
	mux.HandleFunc("GET /find", p.find)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

// row is a case with the names that people know.
type row struct {
	*towerv1.Case
	CustomerName, CarrierName string
}

func named(ctx context.Context, r platform.Reader, c *towerv1.Case) (row, error) {
	customer, err1 := store.PartyName(ctx, r, c.GetCustomer())
	carrier, err2 := store.PartyName(ctx, r, c.GetCarrier())
	return row{c, customer, carrier}, errors.Join(err1, err2)
}

// pageSize is how many cases one page shows.
const pageSize = 100

func (p *Pages) list(w http.ResponseWriter, r *http.Request) {
	var view struct {
		Rows []row
		Next string
	}
	err := p.store.View(r.Context(), func(rd platform.Reader) error {
		found, err := store.CasePage(r.Context(), rd, r.URL.Query().Get("before"), pageSize+1)
		if err != nil {
			return err
		}
		if len(found) > pageSize {
			found = found[:pageSize]
			view.Next = store.CaseID(found[pageSize-1].GetCase().GetName())
		}
		for _, rec := range found {
			line, err := named(r.Context(), rd, rec.GetCase())
			if err != nil {
				return err
			}
			view.Rows = append(view.Rows, line)
		}
		return nil
	})
	p.show(w, "list.html", view, err)
}

func (p *Pages) thread(w http.ResponseWriter, r *http.Request) {
	var view struct {
		Row      row
		Timeline *timeline
		Steps    []*towerv1.Step
	}
	err := p.store.View(r.Context(), func(rd platform.Reader) error {
		rec, err := store.ExistingCase(r.Context(), rd, r.PathValue("id"))
		if err != nil {
			return err
		}
		t, err := store.Thread(r.Context(), rd, rec.GetCase())
		if err != nil {
			return err
		}
		plans, err := store.PlansOf(r.Context(), rd, r.PathValue("id"), planned())
		if err != nil {
			return err
		}
		view.Steps, view.Timeline = t.GetSteps(), newTimeline(t.GetSteps(), plans)
		view.Row, err = named(r.Context(), rd, rec.GetCase())
		return err
	})
	p.show(w, "thread.html", view, err)
}

// find leads from any id or number to its case.
func (p *Pages) find(w http.ResponseWriter, r *http.Request) {
	reference := strings.TrimSpace(r.URL.Query().Get("q"))
	var ids []string
	err := p.store.View(r.Context(), func(rd platform.Reader) error {
		found, err := store.CasesByReference(r.Context(), rd, reference)
		for _, rec := range found {
			ids = append(ids, store.CaseID(rec.GetCase().GetName()))
		}
		return err
	})
	switch {
	case err != nil:
		p.show(w, "", nil, err)
	case len(ids) == 0:
		w.WriteHeader(http.StatusNotFound)
		p.show(w, "nothing.html", reference, nil)
	default:
		// Several cases under one number: the newest is what people look for first, the others are linked from the list.
		http.Redirect(w, r, "/cases/"+slices.Max(ids), http.StatusSeeOther)
	}
}

func (p *Pages) show(w http.ResponseWriter, name string, view any, err error) {
	switch {
	case errors.Is(err, platform.ErrNotFound):
		w.WriteHeader(http.StatusNotFound)
		name, view = "nothing.html", "this page"
	case err != nil:
		p.log.Error("page failed", "page", name, "error", err)
		http.Error(w, "The read model does not answer. The other services go on; see the log of tower.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := p.templates.ExecuteTemplate(w, name, view); err != nil {
		p.log.Warn("page not sent", "page", name, "error", err)
	}
}

func amount(m *money.Money) string {
	if m == nil {
		return ""
	}
	a, err := kernel.FromUnitsNanos(m.GetUnits(), m.GetNanos(), m.GetCurrencyCode())
	if err != nil {
		return ""
	}
	return a.Label()
}

func utc(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().UTC().Format(time.DateTime)
}

func bare(name string) string { return name[strings.IndexByte(name, '/')+1:] }

// stage is a stage as people say it.
func stage(s towerv1.Case_Stage) string {
	return strings.ToLower(s.String())
}
