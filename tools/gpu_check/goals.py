"""What a run is held to: ratios of figures of one run, never a figure alone. A goal without its figures is left out."""


INT8 = "ours int8"  # another numeric class: no rival of attention in bf16


def rows_of(results, table, contender=""):
    return [found for found in results["rows"] if found["table"] == table and found["contender"].startswith(contender)
            and (contender == INT8 or not found["contender"].startswith(INT8))]


def best_by_case(found):
    best = {}
    for one in found:
        if one["case"] not in best or one["ms"] < best[one["case"]]["ms"]:
            best[one["case"]] = one
    return best


def goal(name, value, must, least=True):
    return {"goal": name, "value": value, "must": must, "met": value >= must if least else value <= must}


def ratios_of_dense(results):
    """Our fastest form by cuDNN, and by the ceiling, for each size."""
    ours = best_by_case(rows_of(results, "attention", "ours"))
    cudnn = best_by_case(rows_of(results, "attention", "torch cuDNN"))
    ceiling = rows_of(results, "product")
    goals = []
    for case, mine in ours.items():
        if case in cudnn:
            goals.append(goal(f"dense attention, ours / cuDNN, {case}", cudnn[case]["ms"] / mine["ms"], 0.92))
        if ceiling:
            goals.append(goal(f"dense attention, ours / cuBLASLt, {case}", mine["tflops"] / ceiling[0]["tflops"], 0.82))
    return goals


def ratios_of_sparse(results):
    """Speed on kept tiles by that of our dense attention of the same size."""
    dense, goals = best_by_case(rows_of(results, "attention", "ours")), []
    for case, mine in best_by_case(rows_of(results, "sparse", "ours")).items():
        size, _, rest = case.partition(" tile ")
        if size in dense:
            must = 0.95 if rest.startswith("128") else 0.90
            goals.append(goal(f"sparse attention, kept tile / dense tile, {case}", mine["tflops"] / dense[size]["tflops"], must))
    fastest = max((found["tflops"] for found in rows_of(results, "sparse", "ours") if " tile 128 " in found["case"]), default=None)
    if fastest and any(name in results["device"]["device"] for name in ("H100", "H200")):
        goals.append(goal("sparse attention of key tiles of 128, TFLOP/s on kept tiles", fastest, 600.0))
    return goals


def ratios_of_int8(results):
    """Attention in 8 bits, with the rounding of its operands, by our fastest in bf16."""
    goals = []
    for table in ("attention", "sparse"):
        plain = best_by_case(rows_of(results, table, "ours"))
        for case, mine in best_by_case(rows_of(results, table, INT8)).items():
            if case in plain:
                goals.append(goal(f"{table} in 8 bits with rounding, bf16 / 8 bits, {case}", plain[case]["ms"] / mine["ms"], 1.25))
    return goals


def ratios_of_rows(results):
    copy = rows_of(results, "rows", "copy")
    return [goal(f"{found['contender']} / copy", found["gbps"] / copy[0]["gbps"], 0.85)
            for found in rows_of(results, "rows") if copy and found["contender"] != "copy"]


def ratios_of_models(results):
    """A pass by its floor: self-attention at the best speed of this run at that size, the rest at that of cuBLASLt."""
    ceiling, goals = rows_of(results, "product"), []
    best = best_by_case(rows_of(results, "attention"))
    for found in rows_of(results, "transformer pass"):
        attention = best.get(f"S {found['tokens']} H {found['heads']} D 128")
        if ceiling and attention:
            floor = (found["attention_flop"] / attention["tflops"] + (found["flop"] - found["attention_flop"]) / ceiling[0]["tflops"]) / 1e9
            goals.append(goal(f"{found['case']}, time / floor", found["ms"] / floor, 1.15, False))
    goals += [goal(f"draft {found['case']}, {found['contender']}, seconds", found["ms"] / 1e3, 2.0, False)
              for found in rows_of(results, "draft")]
    return goals


def judged(results):
    if results["device"].get("emulated"):
        return []
    return ratios_of_dense(results) + ratios_of_sparse(results) + ratios_of_int8(results) + ratios_of_rows(results) + ratios_of_models(results)
