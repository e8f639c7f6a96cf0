"""Invented people, numbers and ids, always the same for the same random source."""

from __future__ import annotations

import random
import string
from collections.abc import Container
from dataclasses import dataclass

__all__ = ["Person", "person", "phone_number", "stranger", "text_id", "uuid_text"]

_FIRST = """
    Ada Amir Bea Carlos Chidi Dana Elif Emil Fatou Grace Hana Hugo Ines Ivan Jonas Keiko Lena
    Luca Maya Mila Nadia Noah Olga Omar Paula Priya Rosa Sami Tara Theo Uma Viktor Wen Yara Zoe
""".split()  # noqa: SIM905  read as words, not as quotes and commas
_LAST = """
    Abbott Almeida Bauer Berg Castillo Dubois Eriksen Faber Fischer Garcia Haddad Ibarra Jansen
    Kaya Keller Kim Lindgren Lopez Marino Mendes Nakamura Novak Okafor Olsen Park Quinn Rossi
    Santos Schmidt Silva Tanaka Ueda Vargas Weber Yilmaz Zeller
""".split()  # noqa: SIM905  read as words, not as quotes and commas
_CITIES = (("Portland", "OR"), ("Austin", "TX"), ("Albany", "NY"), ("Boise", "ID"), ("Miami", "FL"))
_AREA_CODES = """
    202 203 205 206 207 208 209 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240
    301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319 401 402 404 405 406 407
""".split()  # noqa: SIM905  read as words, not as quotes and commas


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone who calls or is called."""

    first: str
    last: str
    phone: str
    email: str
    city: str
    state: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


def phone_number(chance: random.Random) -> str:
    """A number of the 555-01xx range, reserved for fiction, so that nobody real is ever rung."""
    return f"+1{chance.choice(_AREA_CODES)}55501{chance.randrange(100):02d}"


def stranger(chance: random.Random, known: Container[str]) -> str:
    """A number that is not ``known``, if one is found within a thousand draws."""
    for _ in range(1000):
        phone = phone_number(chance)
        if phone not in known:
            break
    return phone


def person(chance: random.Random, taken: set[str]) -> Person:
    """Someone with a number not in ``taken``, which then holds it; there are 4,600 numbers."""
    phone = stranger(chance, taken)
    taken.add(phone)
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    city, state = chance.choice(_CITIES)
    email = f"{first}.{last}.{phone[-2:]}{phone[2:5]}@example.com".lower()
    return Person(first=first, last=last, phone=phone, email=email, city=city, state=state)


def text_id(chance: random.Random, length: int = 20) -> str:
    """Letters and digits, as HighLevel's ids."""
    return "".join(chance.choices(string.ascii_letters + string.digits, k=length))


def uuid_text(chance: random.Random) -> str:
    """Hexadecimal digits in the form of a UUID."""
    digits = f"{chance.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
