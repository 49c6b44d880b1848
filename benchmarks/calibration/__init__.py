"""Does every p-value that is printed reject as often as it says, and does every interval cover?"""
