package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"crossdock.dev/platform/telemetry"
)

// A partner writes parts of a line, such as a path. Nothing of it reaches the terminal as anything but text.
func TestLogsAreText(t *testing.T) {
	const evil = "\x1b[2J\x07\u009b31m\u202egone"
	for name, l := range map[string]logLine{
		"field":   {service: "edge", fields: map[string]any{"level": "WARN", "msg": "partner call", telemetry.KeyReason: evil}},
		"message": {service: "edge", fields: map[string]any{"level": "WARN", "msg": evil}},
		"raw":     {service: "edge", raw: evil},
	} {
		var out bytes.Buffer
		if err := l.print(&Env{Out: &out}); err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSuffix(out.String(), "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) || !strings.Contains(line, `\x1b[2J`) || !strings.Contains(line, "gone") {
			t.Errorf("%s: printed %q", name, line)
		}
	}
	var out bytes.Buffer
	plain := logLine{service: "edge", fields: map[string]any{"level": "INFO", "msg": `took "it"`, telemetry.KeyCode: "OK"}}
	if err := plain.print(&Env{Out: &out}); err != nil || !strings.Contains(out.String(), `took "it"  `+telemetry.KeyCode+"=OK") {
		t.Errorf("printed %q, %v", out.String(), err)
	}
}
