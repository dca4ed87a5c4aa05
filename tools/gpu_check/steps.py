"""The steps of a check. Each asks the driver (and torch), and adds what it found to the results."""
import shutil
import statistics
import time

from .contenders import Ours, Torch, torch_backends
from .driver import Driver, Failed

ATTENTION_FORMS = (("portable", 64), ("portable", 128), ("portable_list", 64), ("portable_list", 128), ("hopper", 64),
                   ("hopper", 128), ("hopper_cluster", 128), ("hopper_list", 64), ("hopper_list", 128),
                   ("int8", 64), ("int8", 128), ("int8_list", 64), ("int8_list", 128), ("int8_hopper", 128), ("int8_hopper_list", 128))


def expect(answer, what):
    """A result that is not near enough fails its step, after it was written down."""
    return [] if answer["ok"] else [f"{what}: " + answer.get("why", f"rel-L2 {answer.get('rel_l2')}")]


def cases(check, what, verb, fields, wrong):
    """One case for each seed; False where the driver failed at one: nothing more of the kind is asked for."""
    for seed in check.sizes["seeds"]:
        try:
            answer = check.ask(verb, timeout=40, seed=seed, **fields)
        except Failed as failure:
            wrong.append(str(failure))
            return False
        if "skipped" in answer:
            return True
        check.results["correctness"].append({"operation": what, "seed": seed, **fields, **answer})
        wrong += expect(answer, f"{what} seed {seed}")
    check.must_go_on()
    return True


def operations(check):
    """Every operation and every form of attention against the reference, a shape a seed; outputs start as NaN."""
    wrong = []
    for name in [entry["name"] for entry in check.info["operations"]]:
        for precision in ("bf16", "f32"):
            cases(check, f"{name} {precision}", "operation", {"name": name, "precision": precision}, wrong)
    for form, width in ATTENTION_FORMS:
        known = len(wrong)
        fields = {"form": form, "width": width, "longest": check.sizes["longest"]}
        cases(check, f"attention {form} {width}", "attention_case", fields, wrong)
        if len(wrong) > known:
            check.broken.add(form)
    check.say(f"{len(check.results['correctness'])} cases, {len(wrong)} wrong")
    if check.broken:
        check.say(f"not timed, for it computes wrongly: {', '.join(sorted(check.broken))}")
    if wrong:
        raise Failed("; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""))


def sanitizer(check):
    """compute-sanitizer over small cases."""
    tool = shutil.which("compute-sanitizer")
    if check.emulated or not tool:
        check.say("compute-sanitizer is not installed here" if not tool else "the software device checks by itself")
        return
    # racecheck knows nothing of copies by tensor maps: it sees the portable kernels alone.
    everything = [("operation", {"name": entry["name"], "precision": "bf16"}) for entry in check.info["operations"]]
    portable, hopper = ([("attention_case", {"form": form, "width": width, "longest": 300}) for form, width in ATTENTION_FORMS
                         if ("hopper" in form) == own] for own in (False, True))
    for kind, requests in (("memcheck", everything + portable + hopper), ("synccheck", portable + hopper), ("racecheck", portable)):
        log = check.work / f"sanitizer_{kind}.txt"
        driver = Driver([tool, "--tool", kind, "--error-exitcode", "9", "--log-file", str(log), *check.driver.command])
        try:
            for verb, fields in requests:
                driver.ask(verb, timeout=min(120.0, max(1.0, check.left()) + 15), seed=2, **fields)
                check.must_go_on()
            driver.process.stdin.close()
            code = driver.process.wait(timeout=60)
        finally:
            driver.stop()
        check.results["sanitizer"][kind] = code == 0
        if code:
            raise Failed(f"compute-sanitizer --tool {kind} ended with {code}: {log}")


def fragments(check):
    """The layouts that the kernels rely on: the device's against the emulator's."""
    answer = check.ask("fragments", **check.sizes["fragments"], save=check.work)
    check.results["fragments"] = answer["probes"]
    for probe in answer["probes"]:
        equal = "equals the emulated map" if probe["equal"] else f"DIFFERS in {probe['different']} of {probe['words']} words"
        check.say(f"{probe['name']}: {probe['device_map']} {equal}")
    if not answer["ok"]:
        raise Failed("the emulator's layouts are not the device's")


def row(check, table, case, contender, answer, begin):
    """A row of the table: time, speed, nearness, clocks."""
    found = {"table": table, "case": case, "contender": contender, **answer, **check.clocks.since(begin)}
    seconds = max(answer["ms"], 1e-6) / 1e3
    if "flop" in answer:
        found["tflops"] = answer["flop"] / seconds / 1e12
    if "bytes" in answer:
        found["gbps"] = answer["bytes"] / seconds / 1e9
    check.results["rows"].append(found)
    return found


def ceiling(check):
    """A large product by cuBLASLt: what a matrix-bound kernel can reach here."""
    begin, size = time.monotonic(), check.sizes["product"]
    answer = check.ask("product", size=size, launches=8 if check.sizes["round_ms"] else 1, rounds=check.sizes["rounds"])
    row(check, "product", f"{size}^3 bf16", "cuBLASLt", answer, begin)
    wrong = expect(answer, "product")
    begin = time.monotonic()
    rounded = check.ask("rounded_product", size=size, launches=8 if check.sizes["round_ms"] else 1, rounds=check.sizes["rounds"])
    if "skipped" in rounded:
        check.say(f"products in e4m3: {rounded['skipped']}")
    else:
        row(check, "product", f"{size}^3 e4m3, x rounded", "cuBLASLt", rounded, begin)
    for failure in wrong + expect(rounded, "product in e4m3"):
        raise Failed(failure)


def interleaved(check, table, case, flop, contenders):
    """One round after the other, each over all contenders in an order that moves on; medians."""
    times = {one.name: [] for one in contenders}
    launches, near, wrong = {}, {}, []
    for one in list(contenders):
        try:
            near[one.name] = one.compare()
            wrong += expect(near[one.name], f"{case} {one.name}")
            first = one.time(1)
            launches[one.name] = max(1, min(50, round(check.sizes["round_ms"] / max(first, 1e-3))))
        except Exception as failure:  # what torch refuses it says in many classes
            wrong.append(f"{case} {one.name}: {str(failure).splitlines()[0][:200]}")
            contenders.remove(one)
    begin = time.monotonic()
    for round_number in range(check.sizes["rounds"]):
        for i in range(len(contenders)):
            one = contenders[(i + round_number) % len(contenders)]
            times[one.name].append(one.time(launches[one.name]))
    for one in contenders:
        row(check, table, case, one.name,
            {"ms": statistics.median(times[one.name]), "rounds": times[one.name], "flop": flop, **near[one.name]}, begin)
    return wrong


def competed(check, table, case, flop, contenders):
    """interleaved(), and their memory given back."""
    everybody = list(contenders)
    try:
        return interleaved(check, table, case, flop, contenders)
    finally:
        for one in everybody:
            one.close()


def attention(check):
    """Dense attention: our forms, cuDNN and FlashAttention through torch, in turn."""
    backends, why = torch_backends(check.emulated)
    if why:
        check.say(why)
    wrong = []
    for length, heads, width in check.sizes["attention"]:
        opened = check.ask("attention_open", length=length, heads=heads, width=width)
        contenders = [Ours(check, form["form"]) for form in opened["forms"] if form["form"] not in check.broken]
        for name in backends:
            try:
                contenders.append(Torch(name, length, heads, width))
            except Exception as failure:  # no memory for its tensors, as a rule
                wrong.append(f"torch {name} S {length} H {heads}: {str(failure).splitlines()[0][:200]}")
        wrong += competed(check, "attention", f"S {length} H {heads} D {width}", opened["flop"], contenders)
        check.ask("attention_close")
        check.progress_rows(1)
        check.must_go_on()
    if wrong:
        raise Failed("; ".join(wrong))


def sparse(check):
    """Attention over lists of key tiles; speed counts the kept tiles alone."""
    wrong = []
    for length, heads, width, key_tile, density in check.sizes["sparse"]:
        opened = check.ask("attention_open", length=length, heads=heads, width=width, key_tile=key_tile, density=density)
        case = f"S {length} H {heads} D {width} tile {key_tile} {density:.0%}"
        contenders = [Ours(check, form["form"]) for form in opened["forms"] if form["form"] + "_list" not in check.broken]
        wrong += competed(check, "sparse", case, opened["flop"], contenders)
        check.ask("attention_close")
        check.must_go_on()
    if wrong:
        raise Failed("; ".join(wrong))


def rows(check):
    """Kernels over rows and elements beside a copy of the same tensor."""
    wrong, (count, cols) = [], check.sizes["rows"]
    for name in [entry["name"] for entry in check.info["row_kernels"]]:
        begin = time.monotonic()
        answer = check.ask("rows", name=name, rows=count, cols=cols, rounds=check.sizes["rounds"],
                                  launches=10 if check.sizes["round_ms"] else 1)
        row(check, "rows", f"[{count}, {cols}]", name, answer, begin)
        wrong += expect(answer, name)
        check.must_go_on()
    if wrong:
        raise Failed("; ".join(wrong))


STEPS = [("operations", operations), ("fragments", fragments), ("ceiling", ceiling), ("attention", attention),
         ("sparse", sparse), ("rows", rows), ("sanitizer", sanitizer)]
