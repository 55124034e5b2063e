package x12_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"crossdock.dev/integrations/edi/x12"
)

const ups = "210/jf-tech-omniparser__2_ups_edi_210.input.txt"

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"850/aaronhuggins-node-x12__850.edi", ups} {
		data := readCorpus(b, name)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := x12.Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	data := readCorpus(b, ups)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r := x12.NewReader(bytes.NewReader(data), x12.Limits{})
		for {
			_, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, name := range []string{"850/aaronhuggins-node-x12__850.edi", ups} {
		data := readCorpus(b, name)
		f := parseCorpus(b, name)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				for _, x := range f.Interchanges {
					if _, err := x12.Write(io.Discard, x, x12.Options{}); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
