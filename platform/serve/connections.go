package serve

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// connections counts those of the listeners, each of which takes a bounded number: every one costs memory before anybody has
// proved who he is.
type connections struct {
	open    *prometheus.GaugeVec
	refused *prometheus.CounterVec
}

func newConnections() connections {
	return connections{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "crossdock_connections", Help: "Open connections, by listener.",
		}, []string{"listener"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "crossdock_connections_refused_total", Help: "Connections closed at once because too many were open, by listener.",
		}, []string{"listener"}),
	}
}

// bound makes a listener close what connects beyond a number of open connections.
func (c connections) bound(l *net.TCPListener, name string, most int64) net.Listener {
	return &boundListener{TCPListener: l, most: most, gauge: c.open.WithLabelValues(name), refused: c.refused.WithLabelValues(name)}
}

type boundListener struct {
	*net.TCPListener
	most    int64
	open    atomic.Int64
	gauge   prometheus.Gauge
	refused prometheus.Counter
}

func (l *boundListener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.most {
			l.gauge.Inc()
			return &boundConn{TCPConn: c, gone: sync.OnceFunc(func() { l.open.Add(-1); l.gauge.Dec() })}, nil
		}
		l.open.Add(-1)
		l.refused.Inc()
		_ = c.Close() // it was never used
	}
}

type boundConn struct {
	*net.TCPConn
	gone func()
}

func (c *boundConn) Close() error {
	c.gone()
	return c.TCPConn.Close()
}
