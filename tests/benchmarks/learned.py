"""A style learned on a clip against optimizing the clip: how good both are, and what they take.

Each side is a process of its own from the command to the file, on one thread, and is timed by the processor. Every
fifth frame is judged by what knows no network (Portilla–Simoncelli texture, structure kept, grain), and all frames
by the warping error at 1 and 10 frames, E1 and E10, in multiples of the content's own. The learned style is judged
again on frames that it was not shown. Results are kept in --out; what is there is not made again.

uv run python -m tests.benchmarks.learned CLIP STYLE [STYLE …] --out FOLDER [--frames 40] [--compared 40]

What was tried, on the cockatoo at 256×144 (40 frames, starry night), as texture, structure, grain, E1, E10:

    one stage at 256 px                .0217, .822, .65, 5.6, 1.9; a hatch that repeats with the blocks of samples
    two stages, 114 and 256 px         .0142, .801, .59, 6.0, 2.0; no hatch, since all samples of a block weigh a
                                       constant alike and pairs of frames are shifted by up to 2 samples
    the finer held five times as hard  .0188, .803, .48, 2.4, 0.9
    content .05, held 2.5 times        .0124, .779, .55, 3.7, 1.3

The same frames, learned on all 280 of the clip; how hard the second stage is held is beside the first:

    fine taps, held as hard                         .0165, .814, .52, 7.5, 2.5
    carried along the motion, share .5              .0203, .824, .43, 2.0, 1.6
    carried, and its power restored, share .65      .0173, .817, .48, 1.6, 2.0
    all taps, held a quarter as hard                .0129, .776, .55, 11., 3.5
    carried, and its power restored, share .7       .0143, .786, .51, 1.8, 2.5
    share .85                                       .0144, .789, .52, 1.1, 2.4
    colors mapped to the painting's covariance      .0185, .758, .63, 1.6, 3.6; more contrast, and dirtier

The same networks, whose own frames have E1 13 and E10 3.8, carried otherwise; the first line is as before:

    from the frame before, share .8                       .0141, .784, .59, 1.5, 2.7
    and from 8 frames back, share .9                      .0150, .784, .59, 1.8, 1.4
    flow in one direction, half the time                  .0163, .792, .57, 2.3, 1.3
    the frame before counts twice, share .8               .0168, .804, .57, 1.8, 1.4
    three quarters of what is broad, share .9             .0162, .803, .58, 1.8, 1.5; what is kept
    half of it                                            .0152, .795, .58, 2.6, 1.8
    the first stage alone, share .97                      .0162, .780, .62, 9.3, 2.5
    pieces of 3/4 of a frame, shifted by up to a sixth    .0179, .792, .63, 15, 4.5, not carried: a network that
        cannot tell where the frame's border is leaves the wall empty, for nothing there says where a star is
    the first stage painting on from what it painted      .0427, .720, .69, 13, 8.5, not carried: after frames that
        were painted up to three times it drifts from one color to another

At 1280 pixels flow that must agree in both directions tears forms on flat walls apart, and with the power of one
octave alone restored strokes melt into sand: at 256 pixels the texture is then .037, and .028 with three octaves.

Candy, learned on the first 40 frames in 34 minutes of a busy core, there, and on the last 40, where the camera is
elsewhere; 12 frames optimized are .0108, .762, .76, 1.5, 1.4:

    from these frames alone                               .0055, .701, .68, 3.1, 3.7; .0576, .865, .42, 2.1, 1.6
    and a quarter of pictures made by formula             .0081, .736, .67, 3.2, 3.4; .0278, .769, .63, 4.1, 3.3

The first stage of it at 114 pixels, as texture and structure there, and on the last 40 frames; then what it costs
to begin otherwise, as the cost of style after 200 and 400 steps:

    these frames alone, 1200 steps                        .0126, .695; .0563, .800
    three eighths of loud pictures by formula, 1200       .0162, .747; .0369, .798
    a quarter of calm ones, 2400 steps                    .0128, .723; .0398, .766
    frames in other colors and mirrored, bfloat16         broke down after 150 steps: nothing is painted
    a quarter, loud, networks in bfloat16                 broke down after 150 steps; a fifth faster until then
    starry night, from nothing                            .415, .194
    starry night, from the weights of candy               .173, .125

The same first stage in 400 steps, others beside the contents and gradients evened or not (`engine.learning`):

    these frames alone                                    .0149, .727; .0543, .806
    gradients evened                                      .0130, .733; .0612, .822
    a quarter of calm pictures by formula                 .0349, .825; .0750, .872
    in the colors of the contents                         .0197, .757; .0420, .774
    gradients evened                                      .0175, .755; .0390, .783
    both, which is what is kept                           .0172, .759; .0347, .772
    gradients held to their usual length, and the colors  .0197, .761; .0390, .770
    both, and half of them by formula                     .0280, .788; .0474, .804
    both, from what was learned of samples/swirl.jpg on samples/harbor.mp4, 200 steps  .0222, .748; .0609, .794

So a network shipped to start from is not worth its size: it spares a third of the steps and learns less of what it
was not shown. Both stages learn in 600 steps (1200 for the first) what took them twice as many: candy is then
.0080, .732, .67, 3.1, 3.5, and .0320, .775, .59, 4.8, 4.4 on the last 40 frames, in half the time. With 1 example
in 24 kept to check by, not 1 in 8, it is .0091, .743, .66, 3.1, 3.4, and .0324, .794, .59, 3.8, 3.8. The Starry
Night, learned on all 280 frames, is .0202, where it was .0162. Gradients of a volume cannot be evened (style cost
after 300 steps 1.14, else 1.05): those of flat pieces are noise, and would be heard.

With networks that enlarge linearly (`networks.generator`) it is .0085, .731, .58, 2.8, 3.1, and .0236, .728, .55,
5.6, 6.9 on the last 40 frames, which are painted as much as the others now. Before, each sample of a block was
made in a way of its own, and a weave of four samples was a part of the grain. Both are as fast.

With gains, and a term for the pattern of their blocks (`networks.generator`, `engine.learning`), the Starry Night
learned on all 280 frames at 1280×720 is .0179, .792, .56, 1.9, 1.6 where it was .0202, .812, .58, 1.8, 1.5. Candy
is .0094, .739, .59, 3.0, 3.6 there, and .0260, .766, .48, 3.9, 4.4 on the last 40; samples/swirl.jpg .0068, .767,
.63, 1.0, 1.1, and .0327, .809, .52, 1.7, 1.5. With --compared 12 three frames are judged, and two pairs of E10.

A style learned on a volume (candy, the CT at 112 samples, 300 steps), where a weight holds what is made of a piece
to what is made of it moved by less than a block; as texture, and as the share of a pattern that repeats with the
blocks: 0 .028, .045; .05 .021, .038; .3 .064, .018; 2 .112, .016. It takes the hatch away and slows learning.
Painted at several places of the blocks, without it, as texture, pattern and flicker of slices: once .028, .045,
.155; at the four along the diagonal .031, .020, .031; two .030, .030, .134; the four of a face-centered
lattice .031, .030, .134; eight spread .031, .017, .032.
With networks that enlarge linearly and have gains a volume needs none of this: painted once it is .024, .0004,
.058, where the CT's own pattern and flicker are .0004, .050; at four places .023, .0004, .033, in four times the
time. The term for the pattern of blocks, which pictures have, would keep it from learning: .137, .0002.

Of clips: what holds one together is best left to carrying. It costs a tenth of the texture, where the temporal
term of the lesson costs as much for a quarter of the way. Finer stages need this most: at 569 px the texture of a
frame is .0265 held twice as hard and .0136 held a quarter as hard; at 1280 px, held twice as hard, they learn to
copy what they are given (.051), and at a quarter they add a brush (.035). With a step size of .002 they broke down
after some hundred steps on a clip that moves much; at half of it they learn.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

from tests.benchmarks.judging import grain
from volstyle.codecs import Moment, Selection, read
from volstyle.grid.field import Field
from volstyle.grid.resample import fitted, resize
from volstyle.judges.pictures import structure_kept, texture_distances
from volstyle.motion.links import estimate_motion, warping_error

_PROGRAM = "import sys; from volstyle_cli import main; sys.exit(main())"
_JUDGED_EVERY = 5


def run(*words: str) -> float:
    """Seconds of processor time that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": ".", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", _PROGRAM, *words, "-q"], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def marks(result: Field, content: Field, style: Field) -> str:
    some = list(range(0, result.shape[0], _JUDGED_EVERY))
    few, of = (field.with_samples(field.samples[:, some]) for field in (result, content))
    painting = style.with_samples(
        resize(style.samples, fitted(style.shape, max(result.shape[1:]), (False, False))).clamp(0, 1)
    )
    links = {gap: estimate_motion(content.samples, (gap,))[0] for gap in (1, 10)}
    errors = [
        float(warping_error(result.samples, link).mean() / warping_error(content.samples, link).mean())
        for link in links.values()
    ]
    grains = [grain(result.samples[:, at], painting.samples) for at in some]
    return (
        f"texture {float(texture_distances(few, [style]).mean()):.4f} "
        f"structure {float(structure_kept(few, of).mean()):.3f} grain {sum(grains) / len(grains):.2f} "
        f"E1 {errors[0]:.2f} E10 {errors[1]:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip", type=Path)
    parser.add_argument("styles", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("learned"))
    parser.add_argument("--frames", type=int, default=40, help="how many are learned on")
    parser.add_argument("--compared", type=int, default=40, help="how many of them are optimized and compared")
    parser.add_argument("--unseen", type=int, default=40, help="how many are judged from the clip's end")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--only-learned", action="store_true", help="leave out the side that optimizes")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    size = ["--size", str(given.size)]
    learned_on, compared = ([*size, "--end", f"{count}f"] for count in (given.frames, given.compared))
    for path in given.styles:
        style = read(path)
        networks = given.out / f"{path.stem}.safetensors"
        if not networks.exists():
            words = ["learn", str(path), "--on", str(given.clip), *learned_on, "-o", str(networks)]
            print(f"{path.stem}: learned in {run(*words):.0f} s of processor time", flush=True)
        for side in ("learned", *(() if given.only_learned else ("optimized",))):
            output = given.out / f"{path.stem}-{side}.mkv"
            if not output.exists():
                how = [] if side == "learned" else ["--method", "optimize"]
                source = networks if side == "learned" else path
                words = ["video", str(given.clip), "--style", str(source), *compared, *how]
                seconds = run(*words, "--quality", "lossless", "-o", str(output))
                print(f"{path.stem}, {side}: painted in {seconds:.0f} s of processor time", flush=True)
            content = read(given.clip, Selection(size=given.size, end=Moment(given.compared, "f")))
            print(f"{path.stem}, {side}: {marks(read(output), content, style)}", flush=True)
        unseen = given.out / f"{path.stem}-unseen.mkv"
        begin = read(given.clip, Selection(size=64)).shape[0] - given.unseen
        if not unseen.exists():
            words = ["video", str(given.clip), "--style", str(networks), *size]
            run(*words, "--start", f"{begin}f", "--quality", "lossless", "-o", str(unseen))
        content = read(given.clip, Selection(size=given.size, start=Moment(begin, "f")))
        print(f"{path.stem}, learned, frames not shown: {marks(read(unseen), content, style)}", flush=True)


if __name__ == "__main__":
    main()
