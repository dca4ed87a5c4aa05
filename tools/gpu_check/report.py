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


def write(results, folder):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / (file_name(results["device"].get("device", "unknown")) + ".json")
    temporary = file.with_suffix(".part")
    temporary.write_text(json.dumps(results, indent=1, default=str) + "\n")
    temporary.replace(file)
    return file
