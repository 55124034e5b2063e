package chaos

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// rates are how often what goes wrong: in a turn, a call, a commit or an act, as each is.
type rates struct {
	restart, down, silence, repeat, power, jump float64 // in a turn
	lost, unanswered, delayed, doubled, death   float64 // of a call
	unwritten, torn, unheard                    float64 // of a commit
	again, late                                 float64 // of what a partner sends
}

// drawRates draws each rate alone, from none to heavy. One seed in ten is quiet, so that the harness is seen to do no harm itself.
func drawRates(r *rand.Rand) rates {
	quiet := r.IntN(10) == 0
	draw := func(heavy float64) float64 {
		if r.IntN(4) == 0 || quiet {
			return 0
		}
		return heavy * math.Pow(10, -2*r.Float64())
	}
	return rates{
		restart: draw(.05), down: draw(.02), silence: draw(.05), repeat: draw(.05), power: draw(.02), jump: draw(.01),
		lost: draw(.4), unanswered: draw(.4), delayed: draw(.3), doubled: draw(.5), death: draw(.2),
		unwritten: draw(.05), torn: draw(.05), unheard: draw(.05),
		again: draw(.8), late: draw(.8),
	}
}

// messages are those of a network that repeats, reorders and delays everything, between programs that do not fail.
func messages() rates {
	return rates{lost: .1, unanswered: .2, delayed: .2, doubled: .5, repeat: .05, silence: .01, again: .7, late: .5}
}

// tally counts what went wrong.
type tally struct {
	restarts, downs, silences, jumps, lost, unanswered, delayed, doubled, deaths, power, unwritten, torn, unheard, repeats, drops int
}

func (t tally) String() string {
	type plain tally
	return fmt.Sprintf("%+v", plain(t))
}
