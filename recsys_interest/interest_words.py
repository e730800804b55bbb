"""The words of the generated log: eight topics that share many words and no meaning.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COMMENTS", "DESCRIPTIONS", "FORMATS", "LEADS", "LEVELS", "TITLES", "TOPICS", "Topic"]


@dataclass(frozen=True)
class Topic:
    """Phrases of one topic: 16 subjects, 14 tasks, 8 settings and 12 tags."""

    subjects: tuple[str, ...]
    tasks: tuple[str, ...]
    settings: tuple[str, ...]
    tags: tuple[str, ...]


def _topic(subjects: str, tasks: str, settings: str, tags: str) -> Topic:
    def parts(table: str) -> tuple[str, ...]:
        return tuple(" ".join(part.split()) for part in table.split(";"))

    return Topic(parts(subjects), parts(tasks), parts(settings), parts(tags))


TOPICS: dict[str, Topic] = {
    "programming": _topic(
        """Python decorators; shell scripts; a binary tree in memory; unit tests; git branches;
        dictionary keys; string formatting; root access on a server; a database field;
        recursive functions; random seeds in code; the Linux kernel; type hints;
        web servers at scale; a ring buffer; regular expressions""",
        """debug a slow Python script; write a shell loop; merge a branch without conflicts;
        cache the result of a function; parse a string of JSON; store a key in a database;
        test a function before shipping; refactor a class; profile the code;
        rename a field in every table; draw a plot from log files; build a small compiler;
        walk a tree without recursion; fork a repository""",
        """on an old laptop; in the terminal; for a web app; in production; behind an API;
        inside a container; with open source libraries; during a code review""",
        "python; code; shell; software; testing; git; root; key; string; database; function; tree",
    ),
    "mathematics": _topic(
        """the square root of two; a ring of polynomials; vector fields; logarithmic scales;
        prime numbers; spanning trees; continuous functions; proofs by induction;
        the kernel of a matrix; star polygons; integrals over a spherical shell; sets and subsets;
        complex roots; the key lemma; probability and counting; eigenvalues""",
        """prove a theorem; solve an equation with two roots; plot a function;
        count the branches of a tree; integrate by parts; find the kernel of a linear map;
        measure an angle; build a field with nine elements; show that a set is open;
        bound an error term; factor a polynomial in a ring; sum a series; colour a graph;
        work out the key inequality""",
        """with pencil and paper; on the number line; in three dimensions; in a finite field;
        by induction; for the olympiad; with matrices; on squared paper""",
        "algebra; proof; root; ring; field; function; set; calculus; scale; theorem; tree; number",
    ),
    "football": _topic(
        """the offside rule; pressing high up the pitch; a star striker; free kicks and set pieces;
        the goalkeeper and the cross bar; defending a corner; the top seed of the cup draw;
        a youth team coach; the left wing; passing triangles; penalty shootouts; transfer rumours;
        three at the root of the midfield; the lines of the field; the key pass; league tables""",
        """read the pitch before a pass; score from a set piece; coach a back four;
        mark the star of the other team; break a low block; take a penalty;
        win the ball on the wing; warm up on a wet field; play out from the goalkeeper;
        pick a captain; watch a match like a scout; practise the long throw;
        save a shot under the bar; plan a season""",
        """on a muddy pitch; under floodlights; in the final minutes; before the derby;
        for a Sunday league team; in the penalty box; with only ten players; at the World Cup""",
        "pitch; goal; match; league; striker; field; coach; star; wing; set; penalty; club",
    ),
    "cooking": _topic(
        """grilled sea bass; roast root vegetables; star anise and cinnamon;
        onion rings in beer batter; taco shells; the kitchen scale; a pot of chicken stock;
        sesame seeds on flatbread; key lime pie; string beans with garlic; bay leaf and thyme;
        a bar of dark chocolate; corn kernels in butter; fresh pasta; sourdough crust;
        carving with a long fork""",
        """fry a fillet of bass; weigh flour on a scale; peel a root of ginger; toast the seeds;
        knead the dough; reduce a sauce; crack the shell of an egg; slice an onion into rings;
        season a soup; bake a pie; braise lamb with star anise; fold in the egg whites;
        simmer the stock; plate a dessert""",
        """in a tiny kitchen; for a crowd; on a weeknight; over charcoal; in one pan;
        in a slow oven; for picky children; with five ingredients""",
        "recipe; bass; root; baking; star; shell; scale; spice; seed; oven; stock; dinner",
    ),
    "travel": _topic(
        """a four star hotel in Lisbon; the Florida Keys; the night train to Vienna;
        a python asleep in the rainforest; a hostel with one bed free; tapas bars by the harbour;
        a coach tour of the Highlands; the ring road around Iceland; shell beaches and coral;
        window seats over the wing; passport queues; a tree house above the river;
        walking tours of old towns; the lavender fields of Provence; island ferries;
        the scale of the Grand Canyon""",
        """pack for two weeks; catch a ferry; book a bed by the sea; drive the ring road;
        hand in the hotel key; find a bar full of locals; spot a python on a jungle walk;
        change trains at the border; camp in a field; climb a volcano;
        bring home a shell from every beach; plan a route; haggle at a market; read a timetable""",
        """on a small budget; in the rainy season; without a car; with a rail pass;
        across three countries; with hand luggage only; along the coast; in a long weekend""",
        "hotel; beach; train; key; ring; star; backpacking; coach; bar; island; passport; tour",
    ),
    "music": _topic(
        """perfect pitch; the bass line; minor scales; the key of D major; guitar strings;
        the root of a chord; a twelve bar blues; jazz piano; a set list for the tour;
        the horn section; choir harmonies; the ring of a bell; a pop star on the radio;
        string quartets; field recordings; notes on a staff""",
        """sing in pitch; tune a bass; practise a scale; change key in mid song;
        replace a string; count a bar of seven; play the root and the fifth; mix a record;
        write a chorus; arrange a tune for horns; improvise over a blues; learn a song by ear;
        keep the beat; perform a short set""",
        """on an upright piano; in a home studio; with a metronome; on an acoustic guitar;
        for a string trio; at an open mic; with headphones on; before a concert""",
        "bass; pitch; scale; key; guitar; song; chord; string; harmony; bar; root; rhythm",
    ),
    "gardening": _topic(
        """root rot in pots; raised beds; seeds under glass; a young plum tree;
        an old apple branch; the vegetable plot; a field of wild flowers; star jasmine on a wall;
        compost and leaf mould; snail shells and slugs; bean poles and string; a garden fork;
        climbing roses; fairy rings in the lawn; tomatoes; scale insects on lemon trees""",
        """sow a bed of carrots; prune a branch; turn the plot with a fork; water the roots;
        net the strawberries; feed the soil; graft a tree; crush shells against snails;
        tie beans with string; save the seed; split a hosta; plant garlic; mulch a rose bed;
        treat scale on citrus""",
        """on a shady balcony; in clay soil; before the first frost; in a cold greenhouse;
        along a south wall; with rain water; in early spring; without pesticides""",
        "soil; seed; root; bed; tree; leaf; compost; plot; pruning; flower; fork; vegetable",
    ),
    "astronomy": _topic(
        """double stars; the rings of Saturn; a shell of hot gas; the magnetic field of Jupiter;
        the scale of the galaxy; a radio dish; the phases of the moon; a tour of the nebulae;
        dark matter; comet tails; spirals with a bar; star fields in Cygnus;
        exoplanet transits; meteor showers; black holes; a branch of the Milky Way""",
        """find the north star; photograph the rings of Saturn; align a telescope;
        track a comet; map a star field; draw the solar system to scale; time an eclipse;
        plot the orbit of Mars; spot a satellite; sketch craters on the moon;
        clean a telescope mirror; stack images of a nebula; catch a transit of Venus;
        tell a star from a planet""",
        """from a dark field; through binoculars; from a city roof; before dawn;
        with a small telescope; in the winter sky; at new moon; with a tracking mount""",
        "star; telescope; planet; moon; ring; field; orbit; galaxy; sky; scale; nebula; eclipse",
    ),
}

#: What an item is, independent of what it is about.
FORMATS = ("book", "course", "video", "podcast", "article", "tool", "workshop", "magazine")

LEADS = (
    "step by step",
    "from scratch",
    "made simple",
    "the patient way",
    "a weekend project",
    "in ten minutes",
    "common mistakes",
    "old tricks",
    "what nobody tells you",
    "a second look",
)
LEVELS = (
    "for beginners",
    "for the curious",
    "for busy people",
    "beyond the basics",
    "the hard parts",
    "a short history",
    "with worked examples",
    "in plain words",
    "questions and answers",
    "seen by an expert",
)

# {s0} {s1} subjects, {t0} {t1} tasks, {p} setting, {lead}, {level}, {format}.
TITLES = (
    "{lead}: {t0} {p}",
    "{s0}, {level}: {lead}",
    "how to {t0} {p}, {level}",
    "{s0} {p}: {lead}",
)
#: Much that could be said of any item, and one phrase that could not.
DESCRIPTIONS = (
    "A {format} in short parts, each with an exercise. The first part is about {s1}.",
    "One hour and no jargon: this {format} shows how to {t1}.",
    "Readers asked for more on {s1}, so here it is, {level}.",
    "You will {t1}, step after step, and keep notes for later.",
    "The new edition of a {format} that many people share. Now with {s1}.",
    "Made by a small team of friends who love to {t1}.",
)
#: What people write: about something of theirs, and about something that is not.
COMMENTS = {
    True: (
        "Finally I can {t}.",
        "The part on {s} is worth it.",
        "Clear on {s}, thank you.",
        "I wanted to {t}, and now I do.",
    ),
    False: (
        "Too much on {s} for me.",
        "I will never {t}.",
        "Not my thing, {s}.",
        "Who wants to {t}?",
    ),
}
