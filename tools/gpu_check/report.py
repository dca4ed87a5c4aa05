"""Results as a table on the terminal, a JSON file and a roofline picture."""
import json
import re


def file_name(device):
    return re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")


def speed(found):
    if "tflops" in found:
        return f"{found['tflops']:9.1f} TFLOP/s"
    if "gbps" in found:
        return f"{found['gbps']:9.1f} GB/s   "
    return " " * 17


def line(found):
    near = f"rel-L2 {found['rel_l2']:.1e}  cos {found['cosine']:.6f}" if found.get("rel_l2") is not None else ""
    clock = f"  {found['sm_mhz']:.0f} MHz {found['watts']:.0f} W" if found.get("sm_mhz") else ""
    return f"{found['case']:34} {found['contender']:24} {found['ms']:10.3f} ms {speed(found)}  {near}{clock}"


def table(results):
    lines = []
    if results["device"]["emulated"]:
        lines.append("Software device: every number below but the nearness is meaningless.")
    for name in dict.fromkeys(found["table"] for found in results["rows"]):
        lines += ["", name] + ["  " + line(found) for found in results["rows"] if found["table"] == name]
    return "\n".join(lines)


def split_table(results):
    """Where the time of whole passes goes, largest part first."""
    lines = []
    for found in results["rows"]:
        if not found.get("split"):
            continue
        total = sum(part["ms"] for part in found["split"])
        lines += ["", f"{found['case']} {found['contender']}: {total:.3f} ms in kernels of {found['ms']:.3f} ms"]
        for part in sorted(found["split"], key=lambda part: -part["ms"])[:12]:
            lines.append(f"  {part['kernel']:28} {part['calls']:7} calls {part['ms']:10.3f} ms {part['ms'] / total:6.1%}")
    return "\n".join(lines)


def goal_table(results):
    return "\n".join(f"{'met   ' if goal['met'] else 'MISSED'} {goal['value']:6.2f} ({goal['must']:.2f})  {goal['goal']}"
                     for goal in results["goals"])


def picture(results, file):
    """Speed over arithmetic intensity, with the roofs that this run measured; what it says when there is none."""
    try:
        import matplotlib
    except ImportError:
        return "no picture: matplotlib is not installed"
    matplotlib.use("Agg")
    from matplotlib import pyplot
    copy = next((found["gbps"] for found in results["rows"] if found["table"] == "rows" and found["contender"] == "copy"), None)
    top = next((found["tflops"] for found in results["rows"] if found["table"] == "product"), None)
    if not copy or not top:
        return "no picture: it needs the steps ceiling and rows"
    figure, axes = pyplot.subplots(figsize=(9, 6))
    edge = top * 1e3 / copy  # FLOP per byte
    axes.plot([0.5, edge, max(10 * edge, 1e5)], [0.5 * copy / 1e3, top, top], color="black", label=f"copy {copy:.0f} GB/s, cuBLASLt {top:.0f} TFLOP/s")
    for contender in dict.fromkeys(found["contender"] for found in results["rows"] if found["table"] == "attention"):
        points = [found for found in results["rows"] if found["table"] == "attention" and found["contender"] == contender]
        axes.plot([intensity(found["case"]) for found in points], [found["tflops"] for found in points], "o", label=contender, alpha=0.7)
    bandwidth = [found for found in results["rows"] if found["table"] == "rows"]
    axes.plot([1.0] * len(bandwidth), [found["gbps"] / 1e3 for found in bandwidth], "_", color="grey", label="row kernels, at 1 FLOP/byte")
    axes.set(xscale="log", yscale="log", xlabel="FLOP per byte of memory", ylabel="TFLOP/s", title=title(results))
    axes.grid(True, which="both", alpha=0.2)
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=120, bbox_inches="tight")
    pyplot.close(figure)
    return f"picture: {file}"


def intensity(case):
    """Of attention that reads and writes each tensor once: 4 S S D / (4 S D 2 bytes)."""
    return int(case.split()[1]) / 2


def title(results):
    device = results["device"]
    return f"{device['device']}, driver {device['driver']}, cuBLASLt {device.get('cublaslt')}, cuDNN {device.get('cudnn')}, {results['date'][:10]}"


def write(results, folder):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / (file_name(results["device"].get("device", "unknown")) + ".json")
    temporary = file.with_suffix(".part")
    temporary.write_text(json.dumps(results, indent=1, default=str) + "\n")
    temporary.replace(file)
    return file
