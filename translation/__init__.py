"""The course in other languages, made from the English one: catalogs, editions, and their sameness.

Rules of this room:

1. A unit is a cell of a notebook, a block of a page, or a text of a picture; its translation is
   whole, so whoever translates sees what belongs together.
2. An edition is made, never edited: who would mend a Korean lesson mends its catalog.
3. What is not a word stays: the code, the numbers, the addresses, what is between backquotes.
"""
