"""Mandarin as written → as spoken: numbers, dates, times, money, units, punctuation.

Latin words stay as they are: the front end gives them to another language where the voice has one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from edge_tts.text.rules import Rule, alternatives, is_followed_by, rewrite, rule, table

UNITS = {
    "km/h": "公里每小时", "m/s": "米每秒", "Mbps": "兆比特每秒", "μg/m³": "微克每立方米", "µg/m³": "微克每立方米",
    "mg/m³": "毫克每立方米", "km²": "平方公里", "m²": "平方米", "㎡": "平方米", "m³": "立方米", "cm³": "立方厘米",
    "km": "公里", "㎞": "公里", "cm": "厘米", "㎝": "厘米", "mm": "毫米", "㎜": "毫米", "μm": "微米", "m": "米",
    "kg": "公斤", "㎏": "公斤", "KG": "公斤", "mg": "毫克", "㎎": "毫克", "g": "克", "t": "吨", "ml": "毫升",
    "mL": "毫升", "L": "升", "l": "升", "kWh": "千瓦时", "kW": "千瓦", "mW": "毫瓦", "W": "瓦", "kV": "千伏",
    "mV": "毫伏", "V": "伏", "mAh": "毫安时", "mA": "毫安", "A": "安", "GHz": "吉赫", "MHz": "兆赫", "kHz": "千赫",
    "Hz": "赫兹", "hPa": "百帕", "kPa": "千帕", "Pa": "帕", "dB": "分贝", "TB": "太字节", "GB": "吉字节",
    "MB": "兆字节", "KB": "千字节", "kB": "千字节", "ms": "毫秒", "min": "分钟", "h": "小时", "s": "秒",
    "lx": "勒克斯", "rpm": "转每分钟",
}  # fmt: skip
"""Written after a number → as said."""

_DIGITS = dict(zip("0123456789", "零一二三四五六七八九", strict=True))
_MONEY = {
    "￥": "元",
    "¥": "元",
    "$": "美元",
    "＄": "美元",
    "€": "欧元",
    "£": "英镑",
    "HK$": "港元",
    "RMB": "元",
}
_SYMBOLS = {
    "+": "加", "=": "等于", "×": "乘", "÷": "除以", "&": "和", "@": "艾特", "#": "井号", "<": "小于", ">": "大于",
    "≤": "小于等于", "≥": "大于等于", "≈": "约等于", "±": "正负", "%": "百分号", "°": "度", "→": "到",
}  # fmt: skip
# 2 is 两 where things are counted, 二 where they are numbered (二月 二号 二楼 二年级).
_COUNTED = (
    "个半|只|条|张|本|次(?!方)|位|件|台|天|年(?!级)|周|小时|分钟|秒|点|元|块|角|毛|米|公里|厘米|毫米|公斤|千克|斤|克|吨|升|"
    "毫升|度|摄氏度|杯|瓶|碗|份|种|名|家|间|套|部|辆|把|双|对|人|户|步|遍|下|句|段|页|岁|倍|层|扇|盏|封|条|根|颗|"
    "首|节|场|趟|口|群|组|包|盒|袋|箱|片|块|座|所|盘|道|支|枝|美元|欧元|英镑|平方米|立方米|成|届|轮|国|地|边|者|个"
)
_FINANCIAL = dict(
    zip("壹贰貳叁參叄肆伍陆陸柒捌玖拾佰仟萬億圓", "一二二三三三四五六六七八九十百千万亿元", strict=True)
)
_FULL_WIDTH = {
    code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}
_FULL_WIDTH |= {
    ord(wide): ord(narrow) for wide, narrow in zip("％＋－＝＃＠＆／．＜＞～", "%+-=#@&/.<>~", strict=True)
}

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff〇\U00020000-\U000323af"
"""Chinese characters, for a character class."""

_HAN = f"[{HAN}]"
_NUMBER = r"\d++(?:\.\d+)?"
# No number begins inside another or inside a Latin name: the 3 of "A3" and of "1.3".
_START = r"(?<![\d.A-Za-z])"
_TO = r" ?[-~–—至到] ?"


def normalize(text: str) -> str:
    """Return *text* as words and the marks 。，！？；：、; language-independent cleaning has happened before."""
    return rewrite(text.translate(_FULL_WIDTH), _RULES)


def cardinal(written: str) -> str:
    """An unsigned number: "21.5" → 二十一点五, "2000" → 两千, "007" digit by digit."""
    whole, point, decimals = written.replace(",", "").partition(".")
    # Nobody follows 138001380001 as one number; 3000000000 is thirty hundred million.
    is_serial = len(whole) > 8 and not whole.endswith("0000")
    is_dictated = len(whole) > 16 or is_serial or (len(whole) > 1 and whole[0] == "0")
    return (digits(whole) if is_dictated else _integer(whole)) + ("点" + digits(decimals) if point else "")


def digits(written: str) -> str:
    """Digit by digit: "2026" → 二零二六; what is no digit is skipped."""
    return "".join(_DIGITS.get(character, "") for character in written)


def _integer(whole: str) -> str:
    # Loading it takes 0.1 s: not for a house that speaks no Chinese.
    import cn2an

    spoken = str(cn2an.an2cn(whole, "low"))
    # 两百, 两千, 两万 at the start; 一千二百 after it.
    return re.sub(r"^二(?=[百千万亿])|二(?=千)", "两", spoken)


def _phone(written: str) -> str:
    # 1 is 幺 in numbers that are dictated: yi1 and qi1 sound alike on a bad line.
    return digits(written).replace("一", "幺")


def _counted(written: str) -> str:
    """A number before a unit: 2 is 两."""
    return "两" if written == "2" else cardinal(written)


def _range(match: re.Match[str]) -> str:
    low, high = match[1], match[2]
    # 3-2 is a score.
    joint = "到" if float(low) <= float(high) else "比"
    is_counted = bool(re.match(_COUNTED, match.string[match.end() :]))
    say = _counted if is_counted else cardinal
    return f"{say(low)}{joint}{say(high)}"


def _date(match: re.Match[str]) -> str:
    year, month, day = match[1], int(match[2]), match[3]
    if not 1 <= month <= 12 or (day and not 1 <= int(day) <= 31):
        return match[0]
    return f"{digits(year)}年{cardinal(str(month))}月" + (f"{cardinal(str(int(day)))}日" if day else "")


def _time(match: re.Match[str]) -> str:
    hour, minute, second = int(match["hour"]), match["minute"], match["second"]
    if hour > 24 or int(minute) > 59:
        return match[0]
    half = {"a": "上午", "p": "下午"}.get((match["half"] or "").lower()[:1], "")
    spoken = half + _counted(str(hour)) + "点"
    if int(minute) or second:
        spoken += _minutes(minute) + "分"
    return spoken + (_minutes(second) + "秒" if second else "")


def _minutes(written: str) -> str:
    return (
        "零" + cardinal(written[1]) if written[0] == "0" and written != "00" else cardinal(str(int(written)))
    )


def _money(match: re.Match[str]) -> str:
    unit, amount, scale = _MONEY[match[1]], match[2].replace(",", ""), match[3] or ""
    if unit == "元" and not scale:
        return _amount(amount, unit)
    plain = amount.rstrip("0").rstrip(".") if "." in amount else amount
    return _counted(plain) + scale + unit


def _amount(written: str, unit: str = "元") -> str:
    """5.20 → 五元两角, 12.05 → 十二元零五分, 0.50 → 五角; other decimals as a number."""
    whole, _, decimals = written.partition(".")
    if len(decimals) != 2:
        return _counted(written) + unit
    jiao, fen = decimals[0], decimals[1]
    spoken = _counted(whole) + unit if int(whole) else ""
    if jiao != "0":
        spoken += _counted(jiao) + "角"
    elif fen != "0" and spoken:
        spoken += "零"
    return (spoken + (_counted(fen) + "分" if fen != "0" else "")) or "零" + unit


def _percent(match: re.Match[str]) -> str:
    sign, low, high = match[1], match[2], match[3]
    whole = "百分之" if match[4] == "%" else "千分之"
    return ("负" if sign else "") + whole + cardinal(low) + (f"到{whole}{cardinal(high)}" if high else "")


def _degrees(match: re.Match[str]) -> str:
    unit = {"c": "摄氏度", "f": "华氏度", "℃": "摄氏度", "℉": "华氏度"}.get(match[4].lower()[-1], "度")
    high = "" if match[3] is None else "到" + _signed_degrees(match[3])
    return _signed_degrees(match[1] + match[2]) + high + unit


def _signed_degrees(written: str) -> str:
    return "零下" + _counted(written[1:]) if written[0] in "-−" else _counted(written)


def _fraction(match: re.Match[str]) -> str:
    # 120/80 is a blood pressure.
    if int(match[1]) > int(match[2]):
        return f"{cardinal(match[1])}比{cardinal(match[2])}"
    return f"{cardinal(match[2])}分之{cardinal(match[1])}"


def _with_unit(match: re.Match[str]) -> str:
    return _counted(match[1].replace(",", "")) + UNITS[match[2]]


def _say(before: str, speak: Callable[[str], str], after: str = "") -> Callable[[re.Match[str]], str]:
    return lambda match: before + speak(match[1]) + after


def _year(match: re.Match[str]) -> str:
    # 5000年历史 is a quantity.
    is_year = 1000 <= int(match[1]) < 3000
    return digits(match[1]) if is_year else cardinal(match[1])


_UNIT = rf"({alternatives(UNITS)})(?![A-Za-z])"
_NAMED = "验证码|邮编|编号|密码|尾号|单号|学号|工号|卡号|代码|航班|车牌|房号|房间号|取件码"
_CALLED = "拨打|致电|打电话|电话|热线|客服|号码|手机|手机号|呼叫"
_END = re.compile(r"[”’」』）)]*\s*$")
_IS = r"(?:号码)?(?:是|为|：|:)? ?"

_RULES: list[Rule] = [
    rule(rf"(?<=\d) ++(?={_HAN})|(?<={_HAN}) ++(?=\d)", ""),
    rule(
        rf"[{''.join(_FINANCIAL)}零万亿]{{2,}}", lambda match: "".join(_FINANCIAL.get(c, c) for c in match[0])
    ),
    rule(r"(?<=\d)：(?=\d\d)", ":"),
    table({"½": "二分之一", "¼": "四分之一", "¾": "四分之三", "⅓": "三分之一", "⅔": "三分之二"}),
    # Dictated: telephones, codes, rooms.
    rule(r"\+86[ -]?(?=1[3-9])", "加八六"),
    rule(r"(?<!\d)(1[3-9]\d[ -]?\d{4}[ -]?\d{4})(?!\d)", _say("", _phone)),
    rule(r"(?<![\d-])((?:0\d{2,3}|400|800)-\d{3,4}[- ]?\d{3,5})(?![\d-])", _say("", _phone)),
    rule(rf"((?:{_CALLED}){_IS}|(?:{_NAMED}){_IS})(\d[\d-]{{1,30}}\d)", lambda m: m[1] + _phone(m[2])),
    rule(r"(?<!\d)(1(?:10|19|20|22))(?=报警|急救|火警|电话)", _say("", _phone)),
    rule(rf"{_START}(\d{{3,4}})(?=房|室|号房|号室|路(?!口|由))", _say("", _phone)),
    # A flight or a train: CA1234.
    rule(r"(?<=[A-Z])(\d{3,})(?![\d.])", _say("", _phone)),
    rule(rf"{_START}(\d0)(?=后(?!面))", _say("", digits)),
    # Dates and times.
    rule(rf"{_START}(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}})(?![\d.-])T?", _date),
    rule(rf"{_START}(\d{{4}})-(0\d|1[0-2])()(?![\d.-])", _date),
    rule(rf"{_START}([1-2]\d{{3}}){_TO}(?=[1-2]\d{{3}}年)", lambda m: digits(m[1]) + "到"),
    rule(rf"{_START}(\d{{4}})(?=年(?!前|历史|来|间))", _year),
    rule(rf"{_START}(0\d|[5-9]\d)(?=年(?!前|历史|代|来|间))", _say("", digits)),
    rule(
        rf"{_START}(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::(?P<second>\d\d))?(?![:\d])(?: ?(?P<half>[AaPp]\.?[Mm]))?",
        _time,
    ),
    rule(r"(?<=\d点)(0\d)", lambda match: _minutes(match[1])),
    rule(r"(?<=[点分秒日号])[-~–—](?=[\d一二两三四五六七八九十])", "到"),
    rule(rf"{_START}(\d{{1,3}}):(\d{{1,3}})(?![:\d])", lambda m: f"{cardinal(m[1])}比{cardinal(m[2])}"),
    # Addresses and versions: 192.168.1.1, 2.3.1.
    rule(
        rf"{_START}[vV]?(\d++(?:\.\d++){{2,8}})",
        lambda m: "点".join(digits(part) for part in m[1].split(".")),
    ),
    # Quantities.
    rule(r"(?<=\d),(?=\d{3}(?!\d))", ""),
    rule(rf"({alternatives(_MONEY)}) ?({_NUMBER})([万亿千百]?)", _money),
    rule(rf"{_START}(\d++\.\d\d)元", _say("", _amount)),
    rule(rf"{_START}([-−]?)({_NUMBER})(?:%?{_TO}({_NUMBER}))? ?([%‰])", _percent),
    rule(
        rf"{_START}(?<!\d)([-−]?)({_NUMBER})(?:°?C?{_TO}([-−]?{_NUMBER}))? ?(° ?[CFcf](?![A-Za-z])|[℃℉°])",
        _degrees,
    ),
    rule(rf"{_START}({_NUMBER}){_TO}({_NUMBER})(?= ?{_UNIT})", lambda m: f"{_counted(m[1])}到{m[2]}"),
    rule(rf"({_NUMBER}) ?{_UNIT}", _with_unit),
    rule(rf"{_START}(\d{{1,4}})/(\d{{1,4}})(?![\d/])", _fraction),
    rule(rf"{_START}(?<![-\d])({_NUMBER})[-~–—]({_NUMBER})(?![\d-])", _range),
    # What is left are numbers.
    rule(r"(第) ?(\d++)", lambda m: m[1] + cardinal(m[2])),
    rule(r"(?<![\dA-Za-z.)）])[-−](?=\d)", "负"),
    rule(rf"{_START}2(?={_COUNTED}|[万亿](?!\d))", "两"),
    rule(_NUMBER, lambda match: cardinal(match[0])),
    rule(rf"(?<={_HAN}) ?[-~–] ?(?={_HAN})", "到"),
    # Marks. A dot or colon between Latin letters belongs to them.
    rule(r" ?(?:——|—|–|--) ?", "，"),
    # Possessive: a dotted line of a table of contents took for ever.
    rule(r"(?:…|\.{3,}+|。{2,}+)++", lambda match: "。" if is_followed_by(match, _END) else "，"),
    rule(r"[“”‘’「」『』《》〈〉\"·•]", ""),
    rule(r"[（(【\[{｛][ ]?|[ ]?[）)】\]}｝]", "，"),
    rule(rf"(?<={_HAN}) ?/ ?(?={_HAN})", "、"),
    rule(r"[~_^*|\\]+", " "),
    rule(r"[,，] ?", "，"),
    rule(rf"\.(?=\s|$)|(?<={_HAN})\.", "。"),
    rule(r"[!！]*[?？][!?！？]* ?", "？"),
    rule(r"[!！]+ ?", "！"),
    rule(r"; ?", "；"),
    rule(rf"(?<={_HAN}): ?|: +", "："),
    table(_SYMBOLS),
    # "，。" after a bracket that ended the sentence; a comma at the start of one that began it.
    rule(r"，+(?=[。！？；：，、])", ""),
    rule(r"(?m)(?<=[。！？；：、，])，+|^[，、]+", ""),
    rule(r"，(?=\s*$)(?<!\w，)", ""),
    rule(r"[ \t]{2,}", " "),
]
